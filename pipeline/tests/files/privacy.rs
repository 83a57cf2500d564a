//! Masked addresses.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::analysis::lines;
use super::{names, python, resetscope, succeeds, text};

const KEY: &str = "1522178d33a4cf80130a5b1649907d10d8988f837979652762574c2d2a842202";

/// The key of the reference implementation's sample, in hexadecimal digits.
fn key() -> String {
    KEY.to_owned()
}

/// The addresses of the shipped capture's resets, as each event names them.
fn addresses(events: &str) -> Vec<[IpAddr; 2]> {
    let ends = |event: &serde_json::Value| {
        ["src", "dst"].map(|end| event[end].as_str().unwrap().parse().unwrap())
    };
    lines(events.as_bytes()).iter().map(ends).collect()
}

#[test]
fn no_output_names_an_address_of_the_capture() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let key = key();
    std::fs::write(folder.join("key"), &key).unwrap();
    let plain = succeeds(folder, &["explain", "--format", "json"]);
    let frame = lines(plain.as_bytes())[30]["frame"].to_string();
    let mut outputs = vec![
        succeeds(folder, &["analyze", "--privacy", "key", "--events", "x.jsonl", "--top", "50"]),
        succeeds(
            folder,
            &["analyze", "--privacy", "key", "--format", "json", "--interval", "9s", "--top", "50"],
        ),
        succeeds(
            folder,
            &["analyze", "--privacy", "key", "--events", "x.csv", "--summaries", "s.csv"],
        ),
        succeeds(folder, &["analyze", "--privacy", &key, "--events", "-"]),
        succeeds(folder, &["explain", "--privacy", "key"]),
        succeeds(folder, &["explain", "--privacy", "key", "--format", "json"]),
        succeeds(folder, &["explain", "--privacy", "key", "--frame", &frame]),
        succeeds(folder, &["explain", "--privacy", "key", "--frame", &frame, "--format", "json"]),
    ];
    let masked = addresses(&outputs[5]);
    outputs.extend(names(folder).iter().map(|name| text(folder.join(name))));
    let capture = addresses(&plain);
    let secrets: BTreeSet<IpAddr> = capture.iter().flatten().copied().collect();
    assert!(secrets.iter().any(IpAddr::is_ipv4) && secrets.iter().any(IpAddr::is_ipv6));
    for secret in secrets {
        let secret = secret.to_string();
        for output in &outputs {
            assert!(!output.contains(&secret), "{secret} is in {output}");
        }
    }
    let masks: BTreeSet<IpAddr> = masked.iter().flatten().copied().collect();
    let pairs: BTreeSet<(IpAddr, IpAddr)> =
        capture.iter().flatten().copied().zip(masked.iter().flatten().copied()).collect();
    assert_eq!(pairs.len(), masks.len(), "each address has one mask, and each mask one address");
    assert!(pairs.iter().all(|(address, mask)| address.is_ipv4() == mask.is_ipv4()));
}

#[test]
fn a_flow_is_found_by_what_is_printed_for_it_and_by_its_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let key = key();
    let flows = |args: &[&str]| -> Vec<String> {
        let events = succeeds(folder, &[&["explain", "--format", "json"], args].concat());
        let end = |event: &serde_json::Value, address: &str, port: &str| {
            let address: IpAddr = event[address].as_str().unwrap().parse().unwrap();
            SocketAddr::new(address, event[port].as_u64().unwrap() as u16).to_string()
        };
        let flow = |event| [end(event, "src", "sport"), end(event, "dst", "dport")].join("-");
        lines(events.as_bytes()).iter().map(flow).collect()
    };
    let (real, printed) = (flows(&[]), flows(&["--privacy", &key]));
    let asked = |flow: &str, key: &str| {
        let args = ["explain", "--privacy", key, "--packets", "1", "--flow", flow];
        let output = resetscope(folder, &args);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let v4 = real.iter().position(|flow| !flow.contains('[')).unwrap();
    let v6 = real.iter().position(|flow| flow.contains('[')).unwrap();
    for which in [v4, v6] {
        let (code, told) = asked(&printed[which], &key);
        assert_eq!(code, Some(0), "{}", printed[which]);
        assert_eq!(asked(&real[which], &key), (code, told.clone()));
        for end in printed[which].split('-') {
            assert!(told.contains(end), "{end} is not in {told}");
        }
        // Who has another key, or none, cannot ask by these masks.
        assert_eq!(asked(&printed[which], &"07".repeat(32)).0, Some(1));
        let output = resetscope(folder, &["explain", "--flow", &printed[which]]);
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn masks_and_names_of_flows_are_those_that_other_programs_give() {
    let Some(python) = python::with("yacryptopan") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    succeeds(folder, &["analyze", "--events", "plain.jsonl"]);
    succeeds(folder, &["analyze", "--events", "masked.jsonl", "--privacy", &key()]);
    // The Community ID of what is written, by its specification.
    let script = r#"
import base64, hashlib, ipaddress, json, struct
from yacryptopan import CryptoPAn
pan = CryptoPAn(bytes.fromhex("KEY"))
def community_id(e):
    ends = sorted((ipaddress.ip_address(e[a]).packed, e[p]) for a, p in (("src", "sport"), ("dst", "dport")))
    (a, p), (b, q) = ends
    data = b"\0\0" + a + b + b"\x06\0" + struct.pack(">HH", p, q)
    return "1:" + base64.b64encode(hashlib.sha1(data).digest()).decode()
for plain, masked in zip(open("plain.jsonl"), open("masked.jsonl")):
    plain, masked = json.loads(plain), json.loads(masked)
    for end in ("src", "dst"):
        assert pan.anonymize(plain.pop(end)) == masked[end], (plain, masked)
    assert community_id(masked) == masked.pop("community_id")
    plain.pop("community_id")
    if "text" in plain["evidence"]:
        plain["evidence"]["text"] = "(masked)"
        assert plain.pop("note") != masked.pop("note")
    masked.pop("src"), masked.pop("dst")
    assert plain == masked
"#;
    python::run(&python, folder, &script.replace("KEY", &key()));
}
