//! What the kernel's reasons are said to rule out, held against the lab's ground truth.

#![allow(clippy::unwrap_used, reason = "in a test it is its failure")]

use std::fs;
use std::path::Path;

use resetscope_core::judge::cause::Subcause;
use resetscope_core::judge::kernel::contradicts;
use serde_json::Value;

#[test]
fn no_kernel_reason_contradicts_what_is_known_to_be_true() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/corpus/lab");
    let mut compared = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_str().unwrap().ends_with(".truth.jsonl") {
            continue;
        }
        for line in fs::read_to_string(&path).unwrap().lines() {
            let truth: Value = serde_json::from_str(line).unwrap();
            let Some(reason) = truth["kernel_reason"].as_str() else { continue };
            let id = truth["subcause"].as_str().unwrap();
            let subcause = Subcause::ALL.iter().find(|subcause| subcause.id() == id).unwrap();
            assert!(!contradicts(reason, *subcause), "{}: {line}", path.display());
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}
