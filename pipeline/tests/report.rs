//! The HTML report: it tells what the JSON tells, harms nobody who opens it, and is there whole or not
//! at all.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

mod analysis;
mod capture_writer;
mod traffic;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use analysis::{corpus, lines};
use capture_writer::{Flavour, Order, pcap};
use scraper::{ElementRef, Html, Selector};
use serde_json::Value;
use tempfile::TempDir;
use traffic::{ACK, Mix, PSH, RST, SYN, Tcp, mix, refusals};

/// A run of the program in a folder of its own.
struct Run {
    folder: TempDir,
    output: Output,
}

impl Run {
    /// Analyses `capture` with a report, and with JSON beside it.
    fn of<S: AsRef<OsStr>>(capture: &Path, args: impl IntoIterator<Item = S>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let output = resetscope()
            .args(["--format", "json", "--quiet", "--top", "10", "--report"])
            .arg(folder.path().join("report.html"))
            .arg("--events")
            .arg(folder.path().join("events.jsonl"))
            .args(args)
            .arg(capture)
            .output()
            .unwrap();
        Self { folder, output }
    }

    fn html(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("report.html")).unwrap()
    }

    fn page(&self) -> Html {
        Html::parse_document(&self.html())
    }

    fn events(&self) -> Vec<Value> {
        lines(&std::fs::read(self.folder.path().join("events.jsonl")).unwrap())
    }

    fn summaries(&self) -> Vec<Value> {
        lines(&self.output.stdout)
    }
}

fn resetscope() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_resetscope"));
    command.args(["analyze", "--flows", "32768"]);
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Writes frames as a capture.
fn capture(folder: &TempDir, frames: &[capture_writer::Seen]) -> PathBuf {
    let path = folder.path().join("capture.pcap");
    std::fs::write(&path, pcap(Order::Little, Flavour::Nano, frames)).unwrap();
    path
}

/// The elements that a selector finds.
fn all<'a>(page: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    page.select(&Selector::parse(selector).unwrap()).collect()
}

/// The text of an element with single spaces.
fn text(element: &ElementRef<'_>) -> String {
    element.text().flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

fn texts(page: &Html, selector: &str) -> Vec<String> {
    all(page, selector).iter().map(text).collect()
}

/// A number as the page writes it.
fn number(text: &str) -> u64 {
    text.replace(',', "").parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

fn end(event: &Value, addr: &str, port: &str) -> String {
    let addr = event[addr].as_str().unwrap().parse().unwrap();
    std::net::SocketAddr::new(addr, event[port].as_u64().unwrap() as u16).to_string()
}

#[test]
fn every_reset_of_the_shipped_capture_is_told_with_its_verdict_evidence_and_filter() {
    let run = Run::of(&corpus(), [""; 0]);
    assert_eq!(run.output.status.code(), Some(0), "{}", stderr(&run.output));
    let (page, events) = (run.page(), run.events());
    let rows = texts(&page, ".events tbody tr");
    assert_eq!(rows.len(), events.len());
    for (row, event) in rows.iter().zip(&events) {
        let word = |value: &Value| value.as_str().unwrap().replace('_', " ");
        let (src, dst) = (event["src"].as_str().unwrap(), event["dst"].as_str().unwrap());
        let [sport, dport] = ["sport", "dport"].map(|port| event[port].as_u64().unwrap());
        let family = if src.contains(':') { "ipv6" } else { "ip" };
        let percent = (event["confidence"].as_f64().unwrap() * 100.0).round();
        let mut wanted = vec![
            event["frame"].to_string(),
            format!("{} to {}", end(event, "src", "sport"), end(event, "dst", "dport")),
            word(&event["cause"]),
            format!(
                "{} {}, {percent} %",
                event["subcause"]["id"].as_str().unwrap(),
                word(&event["subcause"]["name"])
            ),
            event["note"].as_str().unwrap().to_owned(),
            event["community_id"].as_str().unwrap().to_owned(),
        ];
        let facts = event["evidence"].as_object().unwrap().keys();
        wanted
            .extend(facts.filter(|name| !["text", "not_known"].contains(&name.as_str())).cloned());
        for part in &wanted {
            assert!(row.contains(part), "{part} is not in: {row}");
        }
        // Either end may come first.
        for part in [format!("{family}.addr == {src}"), format!("{family}.addr == {dst}")] {
            assert!(row.contains(&part), "{part} is not in: {row}");
        }
        for part in [format!("tcp.port == {sport}"), format!("tcp.port == {dport}")] {
            assert!(row.contains(&part), "{part} is not in: {row}");
        }
    }
}

#[test]
fn the_numbers_are_those_of_the_json_summary() {
    let run = Run::of(&corpus(), [""; 0]);
    let (page, summary) = (run.page(), &run.summaries()[0]);
    let tiles: Vec<u64> =
        texts(&page, ".tiles dt + dd").iter().map(|value| number(value)).collect();
    assert_eq!(tiles[0], summary["resets"]["events"]);
    assert_eq!(tiles[1], summary["flows"]["opened"]);
    assert_eq!(tiles[4], summary["frames"]["received"]);

    let pairs = |selector: &str, names: &str, numbers: &str| -> BTreeMap<String, u64> {
        let names = texts(&page, &format!("{selector} {names}"));
        let numbers = texts(&page, &format!("{selector} {numbers}"));
        assert_eq!(names.len(), numbers.len(), "{selector}");
        names.into_iter().zip(numbers.iter().map(|text| number(text))).collect()
    };
    let counts = |value: &Value| -> BTreeMap<String, u64> {
        let named = value.as_object().unwrap().iter();
        let named = named.map(|(name, count)| (name.replace('_', " "), count.as_u64().unwrap()));
        named.filter(|(_, count)| *count > 0).collect()
    };
    let causes = counts(&summary["resets"]["by_cause"]);
    assert_eq!(pairs(".causes .cause", "b", "th + td"), causes);
    let legend: u64 = texts(&page, ".legend b").iter().map(|text| number(text)).sum();
    assert_eq!(legend, summary["resets"]["events"]);
    let subcauses = pairs(".causes .sub", "b", "th + td");
    let by_id: BTreeMap<String, u64> = subcauses
        .into_iter()
        .map(|(name, count)| (name.split(' ').next().unwrap().to_owned(), count))
        .collect();
    assert_eq!(by_id, counts(&summary["resets"]["by_subcause"]));

    let frames = &summary["frames"];
    let ledger: Vec<u64> =
        texts(&page, ".ledger tbody th + td").iter().map(|text| number(text)).collect();
    assert_eq!(ledger[0], frames["analysed"]);
    assert_eq!(ledger.iter().sum::<u64>(), frames["received"].as_u64().unwrap());

    let measures = texts(&page, ".measure > details summary");
    for (shown, (name, histogram)) in measures.iter().zip([
        ("rst_latency", &summary["histograms"]["rst_latency"]),
        ("connection_age", &summary["histograms"]["connection_age"]),
    ]) {
        assert_eq!(number(shown.split(' ').next().unwrap()), histogram["count"], "{name}");
    }
    // Every value of a histogram is in one class of its table.
    for measure in all(&page, ".measure") {
        let inner = Html::parse_fragment(&measure.html());
        let sum: u64 = texts(&inner, "tbody td").iter().map(|text| number(text)).sum();
        let all = texts(&inner, "details summary");
        assert_eq!(number(all[0].split(' ').next().unwrap()), sum, "{}", text(&measure));
    }
    // And every reset in one column of the time line.
    let columns = texts(&page, ".scroll tbody th + td");
    let columns: u64 = columns.iter().map(|text| number(text)).sum();
    assert_eq!(columns, summary["resets"]["events"]);

    for (place, list) in [(0, "services"), (1, "hosts")] {
        let table = all(&page, ".hosts")[place].html();
        let table = Html::parse_fragment(&table);
        let shown: Vec<u64> =
            texts(&table, "tbody th + td").iter().map(|text| number(text)).collect();
        let told: Vec<u64> = summary["top"][list]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["events"].as_u64().unwrap())
            .collect();
        assert_eq!(shown, told, "{list}");
    }
}

#[test]
fn the_page_is_html_without_errors_that_asks_nobody_for_anything() {
    let [folder, empty] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let random = mix(Mix { seed: 5, frames: 6_000, flows: 600, backwards_once_in: 40 });
    for (name, path) in [
        ("the shipped capture", corpus()),
        ("random traffic", capture(&folder, &random)),
        ("nothing", capture(&empty, &[])),
    ] {
        let run = Run::of(&path, [""; 0]);
        assert_eq!(run.output.status.code(), Some(0), "{name}: {}", stderr(&run.output));
        let page = run.page();
        assert!(page.errors.is_empty(), "{name}: {:?}", page.errors);
        for forbidden in ["script", "link", "img", "iframe", "object", "form", "base"] {
            assert!(all(&page, forbidden).is_empty(), "{name} has {forbidden}");
        }
        let policy = all(&page, "meta[http-equiv]")[0].attr("content").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline'"), "{policy}");
        for element in all(&page, "*") {
            for (attribute, value) in element.value().attrs() {
                assert!(!attribute.starts_with("on"), "{name}: {attribute}");
                assert!(attribute != "href" || value.starts_with('#'), "{name}: {value}");
            }
        }
        assert!(!run.html().contains("url("), "{name}");
        // What is linked to is there; no id is given twice.
        let mut ids: Vec<&str> = all(&page, "[id]").iter().filter_map(|e| e.attr("id")).collect();
        for link in all(&page, "a[href]") {
            let target = link.attr("href").unwrap().trim_start_matches('#');
            assert!(ids.contains(&target), "{name}: nothing at {target}");
        }
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name}: an id twice");
        accessible(&page, name);
    }
}

/// What someone needs who listens to the page.
fn accessible(page: &Html, name: &str) {
    assert_eq!(all(page, "html[lang]").len(), 1, "{name}");
    assert_eq!(all(page, "h1").len(), 1, "{name}");
    let tables = all(page, "table").len();
    assert_eq!(all(page, "table > caption").len(), tables, "{name}: a table without caption");
    let charts = all(page, "svg[role=img]").len();
    assert_eq!(all(page, "svg[role=img] > title + desc").len(), charts, "{name}");
    // Each chart is told by a table, too.
    assert_eq!(all(page, "details.numbers table").len(), charts, "{name}");
    let mut level = 1;
    for heading in all(page, "h1, h2, h3") {
        let next = heading.value().name()[1..].parse::<u32>().unwrap();
        assert!(next <= level + 1, "{name}: a heading is skipped before {}", text(&heading));
        level = next;
    }
}

/// One connection that a reset with a payload ends.
fn with_payload(payload: &[u8]) -> Vec<capture_writer::Seen> {
    let (client, server) = ((1, 40_000), (2, 80));
    let up = Tcp { from: client, to: server, ..Tcp::default() };
    let down = Tcp { from: server, to: client, ..Tcp::default() };
    let at = |ms: u64| traffic::BEGIN_NS + ms * 1_000_000;
    vec![
        Tcp { seq: 99, flags: SYN, ..up }.frame(at(0)),
        Tcp { seq: 499, ack: 100, flags: SYN | ACK, ..down }.frame(at(10)),
        Tcp { seq: 100, ack: 500, flags: ACK, ..up }.frame(at(11)),
        Tcp { seq: 100, ack: 500, flags: ACK | PSH, payload: b"GET /", ..up }.frame(at(12)),
        Tcp { seq: 500, ack: 105, flags: RST | ACK, payload, ttl: 250, ..down }.frame(at(14)),
    ]
}

#[test]
fn what_the_wire_says_is_text_and_never_markup() {
    let folder = tempfile::tempdir().unwrap();
    for hostile in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "</q></p></td></table><h1>owned",
        "<!-- {{ version }} {% raw %} --><style>*{display:none}",
        "&lt;b&gt; \u{202e}txt.exe \x1b[31m\r\n\u{0}x",
    ] {
        let run = Run::of(&capture(&folder, &with_payload(hostile.as_bytes())), [""; 0]);
        assert_eq!(run.events()[0]["evidence"]["text"], hostile, "the payload comes through");
        let page = run.page();
        assert!(page.errors.is_empty(), "{hostile}: {:?}", page.errors);
        assert_eq!(texts(&page, "q").len(), 1, "{hostile}");
        let shown = hostile.escape_debug().to_string();
        let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(texts(&page, "q")[0], shown);
        for element in ["script", "img", "h1 ~ h1"] {
            assert!(all(&page, element).is_empty(), "{hostile}: {element}");
        }
        assert_eq!(all(&page, "style").len(), 1, "{hostile}");
        let odd = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!run.html().contains(odd), "{hostile}: control characters");
    }
}

#[test]
fn names_of_captures_are_text_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("<img src=x onerror=alert(1)>&\"'.pcap");
    std::fs::copy(capture(&folder, &refusals(2)), &path).unwrap();
    let page = Run::of(&path, [""; 0]).page();
    assert!(page.errors.is_empty() && all(&page, "img").is_empty());
    assert_eq!(texts(&page, ".inputs code")[0], path.to_str().unwrap());
}

#[test]
fn the_same_capture_gives_the_same_page_for_any_workers_and_intervals() {
    let folder = tempfile::tempdir().unwrap();
    let random = mix(Mix { seed: 9, frames: 20_000, flows: 2_000, backwards_once_in: 40 });
    for path in [corpus(), capture(&folder, &random)] {
        let alone = Run::of(&path, ["--workers", "1"]).html();
        for args in [&["--workers", "2"][..], &["--workers", "7"], &["--interval", "700ms"]] {
            assert!(Run::of(&path, args).html() == alone, "{path:?}, {args:?}");
        }
    }
}

#[test]
fn beyond_two_thousand_resets_the_rest_is_counted_and_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::of(&capture(&folder, &refusals(2_345)), [""; 0]);
    let page = run.page();
    assert_eq!(all(&page, ".events tbody tr").len(), 2_000);
    assert_eq!(number(&texts(&page, ".tiles dd")[0]), 2_345);
    let limits = texts(&page, ".limits li").join("\n");
    assert!(limits.contains("345 resets not told one by one"), "{limits}");
    let line: u64 = texts(&page, ".scroll tbody th + td").iter().map(|text| number(text)).sum();
    assert_eq!(line, 2_345, "the time line has them all");
}

#[test]
fn damage_is_told_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = capture(&folder, &refusals(3));
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 7]).unwrap();
    let run = Run::of(&path, [""; 0]);
    assert_eq!(run.output.status.code(), Some(3));
    let page = run.page();
    let warnings = texts(&page, ".limits .warning").join("\n");
    assert!(warnings.contains("is damaged at byte"), "{warnings}");
    assert_eq!(all(&page, ".alert").len(), 1);
    assert_eq!(texts(&page, ".tiles dd")[0], run.summaries()[0]["resets"]["events"].to_string());
}

#[test]
fn a_report_is_refused_where_it_would_do_harm_and_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let input = capture(&folder, &refusals(2));
    let before = std::fs::read(&input).unwrap();
    let link = folder.path().join("link.html");
    std::os::unix::fs::symlink(&input, &link).unwrap();
    let events = folder.path().join("same.html");
    let (input_name, events_name) = (input.to_str().unwrap(), events.to_str().unwrap());
    let absent = folder.path().join("no/such/report.html");
    for (args, code, words) in [
        (vec!["--report", input_name], 1, "that is the capture"),
        (vec!["--report", link.to_str().unwrap()], 1, "that is the capture"),
        (vec!["--report", absent.to_str().unwrap()], 1, "No such file or directory"),
        (vec!["--report", folder.path().to_str().unwrap()], 1, "it is a directory"),
        (vec!["--report", "-"], 2, "a report is a file of its own"),
        (vec!["--report", events_name, "--events", events_name], 2, "is named twice"),
    ] {
        let output = resetscope().args(&args).arg(&input).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{args:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{args:?}: nothing was analysed");
        assert!(!stderr(&output).contains(".part"), "{args:?}: {}", stderr(&output));
        assert_eq!(std::fs::read(&input).unwrap(), before, "{args:?}: the capture is as it was");
    }
    assert_eq!(names(&folder), ["capture.pcap", "link.html"], "nothing is left behind");
}

/// What lies in a folder.
fn names(folder: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_full_disk_costs_the_report_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let input = capture(&folder, &refusals(4));
    let output = resetscope().args(["--report", "/dev/full"]).arg(&input).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "resetscope: cannot write the report to /dev/full: No space left on device (os error 28)\n"
    );
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("4 resets in"));
    assert!(!std::fs::metadata("/dev/full").unwrap().is_file(), "a device stays a device");
}

#[test]
fn an_older_report_is_replaced_whole_and_stays_when_there_is_no_new_one() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let input = capture(&folder, &refusals(4));
    let (report, link) = (folder.path().join("r.html"), folder.path().join("l.html"));
    std::fs::write(&report, "old").unwrap();
    std::os::unix::fs::symlink(&report, &link).unwrap();
    let old = std::fs::File::open(&report).unwrap();

    // The results are refused on their way: no report either.
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let failed = resetscope().arg("--report").arg(&link).arg(&input).stdout(full).output().unwrap();
    assert_eq!(failed.status.code(), Some(1), "{}", stderr(&failed));
    assert_eq!(std::fs::read_to_string(&report).unwrap(), "old");

    let done = resetscope().arg("--report").arg(&link).arg(&input).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink(), "the link is still one");
    assert!(std::fs::read_to_string(&report).unwrap().ends_with("</html>\n"));
    assert_eq!(std::io::read_to_string(&old).unwrap(), "old", "who was reading it reads on");
    assert_ne!(old.metadata().unwrap().ino(), std::fs::metadata(&report).unwrap().ino());
    assert_eq!(names(&folder), ["capture.pcap", "l.html", "r.html"], "nothing is left behind");
}

#[test]
fn a_reader_of_stdout_who_has_seen_enough_does_not_cost_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let input = capture(&folder, &refusals(300));
    let report = folder.path().join("r.html");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = resetscope()
        .args(["--interval", "100ms", "--report"])
        .arg(&report)
        .arg(&input)
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let page = Html::parse_document(&std::fs::read_to_string(&report).unwrap());
    assert_eq!(number(&texts(&page, ".tiles dd")[0]), 300);
}
