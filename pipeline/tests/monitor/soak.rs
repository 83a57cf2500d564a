//! Running for a long time: memory and descriptors stay where they were.
//!
//! The long tier (`scripts/test --long`) gives it minutes; otherwise some seconds show that it
//! works.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::live::net::Net;
use crate::live::program::{Program, assert_balanced, number};
use crate::live::traffic;

/// How long to run, in seconds.
const SECONDS: &str = "RESETSCOPE_SOAK_SECONDS";

/// Memory that may come on top in the second half, in KiB. A busy machine makes the load uneven, and a
/// short run has not touched everything by its middle: for each quarter of a second that other programs
/// keep the collector from a core, the workers need some more room for events, which they then keep.
const GROWTH_KIB_MAX: u64 = 40 << 10;

/// Resident memory of its own in KiB, and open descriptors. The kernel's rings, which are counted as
/// they fill for the first time, are not among it.
fn held(process: u32) -> (u64, usize) {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let kib = line.trim().trim_end_matches(" kB").parse().unwrap();
    (kib, fs::read_dir(format!("/proc/{process}/fd")).unwrap().count())
}

#[test]
fn a_long_run_takes_no_more_memory_nor_descriptors_than_a_short_one() {
    let Some(net) = Net::new() else { return };
    let seconds = std::env::var(SECONDS).map_or(8, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let events = folder.path().join("events.jsonl");
    let arguments = ["--interval", "500ms", "--workers", "2", "--events"];
    let program = Program::listening(&net, &[&arguments[..], &[events.to_str().unwrap()]].concat());
    let (begun, length) = (Instant::now(), Duration::from_secs(seconds));
    let (mut resets, mut warm) = (0, None);
    while begun.elapsed() < length {
        resets += traffic::connections(&net, 10);
        // A steady load: what is held follows the number of resets in the last seconds.
        thread::sleep(Duration::from_millis(40));
        if warm.is_none() && begun.elapsed() > length / 2 {
            warm = Some(held(program.id()));
        }
    }
    let (warm, last) = (warm.unwrap(), held(program.id()));
    let ended = program.stop();
    assert!(ended.status.success(), "{}", ended.said);
    let (mut counted, mut shed) = (0, 0);
    for line in &ended.lines {
        let summary = serde_json::from_str(line).unwrap();
        assert_balanced(&summary);
        assert_eq!(number(&summary, "/frames/shed/kernel_drop"), 0, "{summary}");
        counted += number(&summary, "/resets/packets");
        shed += number(&summary, "/frames/shed/table_full");
    }
    // The small table may be full of connections that ended in the last seconds.
    assert!(counted <= resets && resets <= counted + shed, "{counted} and {shed} of {resets}");
    assert_eq!(fs::read_to_string(&events).unwrap().lines().count() as u64, counted);
    assert!(last.0 <= warm.0 + GROWTH_KIB_MAX, "{warm:?}, then {last:?} KiB and descriptors");
    assert_eq!(last.1, warm.1, "descriptors");
    println!("{resets} resets in {seconds} s; {} KiB, then {} KiB", warm.0, last.0);
}
