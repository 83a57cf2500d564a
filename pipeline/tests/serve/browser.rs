//! The live page in a real browser: what it shows is what the summaries say.
//!
//! Takes Chromium and its driver (`apt-get install chromium chromium-driver`).

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use crate::fed::{feed, server};
use crate::http_client::request;

const PATIENCE: Duration = Duration::from_secs(20);

/// A browser with one page.
struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
}

impl Browser {
    /// Starts it, or says why that cannot be done here.
    fn start() -> Option<Self> {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        // The browser is in the driver's group, so that neither is left behind.
        command.process_group(0);
        let Ok(mut driver) = command.spawn() else {
            println!("skipped: no chromedriver; apt-get install chromium chromium-driver");
            return None;
        };
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port: u16 = lines
            .map_while(Result::ok)
            .find_map(|line| {
                line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver tells its port");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut browser = Self { driver, address, session: String::new() };
        let arguments =
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        let options = json!({ "args": arguments });
        let wanted =
            json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let answer = browser.post("", &wanted);
        browser.session = format!("/{}", answer["sessionId"].as_str().unwrap());
        Some(browser)
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let line = format!("POST /session{}{path}", self.session);
        let headers = format!("Host: {}\r\nContent-Type: application/json\r\n", self.address);
        let response = request(self.address, &line, &headers, &body.to_string());
        assert_eq!(response.status, 200, "{path}: {}", response.body);
        response.json()["value"].clone()
    }

    fn open(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// The value of an expression in the page.
    fn value(&self, expression: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": format!("return {expression}"), "args": [] }))
    }

    fn wait_for(&self, condition: &str) {
        let until = Instant::now() + PATIENCE;
        while self.value(condition) != Value::Bool(true) {
            assert!(
                Instant::now() < until,
                "never: {condition}; {}",
                self.value("document.body.innerText")
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn tool(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// What has gone wrong in the page, by its console.
    fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// Leaves a picture of the whole page beside the test's other results.
    fn picture(&self, name: &str) {
        let shot = self.tool("Page.captureScreenshot", &json!({ "captureBeyondViewport": true }));
        let bytes =
            base64::prelude::BASE64_STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("live-page-{name}.png"));
        std::fs::write(&file, bytes).unwrap();
        println!("picture: {}", file.display());
    }

    fn look(&self, width: u32, height: u32, scheme: &str) {
        let mobile = width < 600;
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.tool("Emulation.setDeviceMetricsOverride", &size);
        let scheme = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.tool("Emulation.setEmulatedMedia", &json!({ "features": scheme }));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let line = format!("DELETE /session{}", self.session);
        let headers = format!("Host: {}\r\n", self.address);
        // Ends the browser; without a session there is none.
        let _ = std::panic::catch_unwind(|| request(self.address, &line, &headers, ""));
        let _ = kill_process_group(Pid::from_child(&self.driver), Signal::KILL);
        let _ = self.driver.wait();
    }
}

fn total(summaries: &[Value], path: &str) -> u64 {
    summaries.iter().map(|summary| summary.pointer(path).unwrap().as_u64().unwrap()).sum()
}

/// The numbers that elements with keys show, as text without its separators.
fn shown(browser: &Browser, places: &str) -> Value {
    browser.value(&format!(
        "Object.fromEntries([...document.querySelectorAll('{places}')].map((of) => \
         [of.dataset.key ?? of.dataset.n, of.dataset.value === of.textContent.replaceAll(',', '') || \
         of.tagName === 'TR' ? Number(of.dataset.value) : of.textContent]))"
    ))
}

/// Counts by name over all summaries, those that are zero left out.
fn counts(summaries: &[Value], path: &str) -> Value {
    let mut sum = serde_json::Map::new();
    for summary in summaries {
        for (name, n) in summary.pointer(path).unwrap().as_object().unwrap() {
            let before = sum.get(name).and_then(Value::as_u64).unwrap_or(0);
            sum.insert(name.clone(), (before + n.as_u64().unwrap()).into());
        }
    }
    sum.retain(|_, n| n.as_u64() > Some(0));
    Value::Object(sum)
}

fn without_zeros(mut counts: Value) -> Value {
    counts.as_object_mut().unwrap().retain(|_, n| n.as_u64() != Some(0));
    counts
}

fn assert_page_shows(browser: &Browser, summaries: &[Value]) {
    let tiles = shown(browser, "[data-n]");
    for path in ["/resets/events", "/resets/packets", "/flows/opened", "/frames/received"] {
        assert_eq!(tiles[path], total(summaries, path), "{path}: {tiles}");
    }
    let last = summaries.last().unwrap();
    assert_eq!(tiles["/flows/active"], last["flows"]["active"]);
    assert_eq!(tiles["dropped"], 0);
    let causes = without_zeros(shown(browser, "#legend b"));
    assert_eq!(causes, counts(summaries, "/resets/by_cause"));
    let stages = without_zeros(shown(browser, "#stages b"));
    assert_eq!(stages, counts(summaries, "/resets/by_stage"));
    let reasons = counts(summaries, "/resets/by_subcause");
    for (id, n) in shown(browser, "#subcauses b").as_object().unwrap() {
        assert_eq!(&reasons[id], n, "{id}");
    }
    let ledger = shown(browser, "#ledger tr[data-key]");
    assert_eq!(ledger["received"], total(summaries, "/frames/received"));
    assert_eq!(ledger["analysed"], total(summaries, "/frames/analysed"));
    for (reason, n) in counts(summaries, "/frames/skipped").as_object().unwrap() {
        assert_eq!(&ledger[format!("skipped: {reason}")], n, "{reason}");
    }
    for (service, n) in shown(browser, "#services tr[data-key]").as_object().unwrap() {
        let of_service =
            summaries.iter().flat_map(|summary| summary["top"]["services"].as_array().unwrap());
        let name = |row: &Value| {
            let addr: std::net::IpAddr = row["addr"].as_str().unwrap().parse().unwrap();
            SocketAddr::new(addr, row["port"].as_u64().unwrap() as u16).to_string()
        };
        let rows = of_service.filter(|row| name(row) == *service);
        let sum: u64 = rows.map(|row| row["events"].as_u64().unwrap()).sum();
        assert_eq!(*n, sum, "{service}");
    }
}

#[test]
fn the_page_shows_the_numbers_of_the_summaries() {
    let Some(browser) = Browser::start() else { return };
    let (server, address) = server();
    server.tap(true, "listening".to_owned());
    browser.look(1280, 900, "light");
    browser.open(&format!("http://{address}/"));
    browser.wait_for("document.getElementById('state').className === 'live'");
    let outcome = feed(&server);
    let (summaries, events) = (outcome.summaries(), outcome.events());
    let seq = summaries.last().unwrap()["interval"]["seq"].as_u64().unwrap();
    browser.wait_for(&format!("document.body.dataset.seq === '{seq}'"));
    assert_page_shows(&browser, &summaries);
    browser.value("document.querySelector('[data-scope=last]').click()");
    browser.wait_for("document.getElementById('span').textContent.endsWith('1 interval')");
    assert_page_shows(&browser, &summaries[summaries.len() - 1..]);
    browser.value("document.querySelector('[data-scope=all]').click()");

    let listed =
        browser.value("[...document.querySelectorAll('#resets .who')].map((of) => of.textContent)");
    let newest: Vec<String> = events.iter().rev().take(60).map(who).collect();
    assert_eq!(listed, json!(newest));
    browser.value("document.querySelector('#resets summary').click()");
    browser.wait_for("document.querySelector('#resets code') !== null");
    let story = browser.value("document.querySelector('#resets .story').innerText").to_string();
    let event = events.last().unwrap();
    assert!(story.contains(event["note"].as_str().unwrap()), "{story}");
    assert!(story.contains(&format!("tcp.port == {}", event["sport"])), "{story}");

    for (name, width, scheme) in [
        ("light", 1280, "light"),
        ("dark", 1280, "dark"),
        ("phone", 390, "light"),
        ("phone-dark", 390, "dark"),
    ] {
        browser.look(width, 844, scheme);
        browser.wait_for(&format!("document.querySelector('#chart svg').clientWidth < {width}"));
        let wide = browser.value("document.documentElement.scrollWidth");
        assert!(wide.as_u64() <= Some(width.into()), "{name}: nothing sticks out sideways: {wide}");
        browser.picture(name);
    }
    server.tap(false, "capture went away; <b>waiting</b> for it".to_owned());
    browser.wait_for("document.getElementById('alert').textContent.includes('<b>waiting</b>')");
    drop(server);
    browser.wait_for("document.getElementById('state-text').textContent === 'ended'");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

fn who(event: &Value) -> String {
    let end = |addr: &str, port: &str| {
        let addr: std::net::IpAddr = event[addr].as_str().unwrap().parse().unwrap();
        SocketAddr::new(addr, event[port].as_u64().unwrap() as u16)
    };
    format!("{} → {}", end("src", "sport"), end("dst", "dport"))
}
