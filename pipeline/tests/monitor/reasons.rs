//! `resetscope monitor --kernel-reasons`: which resets get the kernel's account, and what is left
//! behind of the tracing.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::live::net::{CLIENT, Net, SERVER};
use crate::live::program::{Ended, Program, wait_for};
use crate::{ONE, raw, tracing, traffic};

const ASKING: [&str; 5] = [ONE[0], ONE[1], "--kernel-reasons", "--events", "-"];

/// The events of a run whose summary is on stderr.
fn events(ended: &Ended) -> Vec<Value> {
    assert!(ended.status.success(), "{}", ended.said);
    ended.lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A TCP segment from the client's end of the cable to the server's, without payload.
fn segment(from: SocketAddr, to: SocketAddr, seq: u32, ack: u32, flags: u8) -> Vec<u8> {
    let (SocketAddr::V4(from), SocketAddr::V4(to)) = (from, to) else { panic!("IPv4 only") };
    let mut tcp = Vec::new();
    tcp.extend(from.port().to_be_bytes());
    tcp.extend(to.port().to_be_bytes());
    tcp.extend(seq.to_be_bytes());
    tcp.extend(ack.to_be_bytes());
    tcp.extend([0x50, flags, 0x10, 0, 0, 0, 0, 0]);
    let ends = [from.ip().octets(), to.ip().octets()].concat();
    let pseudo = [&ends[..], &[0, 6, 0, 20], &tcp].concat();
    let sum = checksum(&pseudo);
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    let mut ip = [&[0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0], &ends[..]].concat();
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    let ethernet = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    [&ethernet[..], &ip, &tcp].concat()
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|two| u32::from(u16::from_be_bytes([two[0], two[1]])));
    let sum: u32 = words.sum();
    !((sum & 0xffff) + (sum >> 16)) as u16
}

#[test]
fn a_hosts_own_resets_carry_the_kernels_reason_and_the_process_where_one_was_at_work() {
    if !tracing::ready() {
        return;
    }
    let Some(net) = Net::new() else { return };
    let tap = Program::listening(&net, &ASKING);
    traffic::connections(&net, 4);
    let ended = tap.stop();
    let events = events(&ended);
    assert_eq!(events.len(), 12, "{}", ended.said);
    let own = fs::read_to_string("/proc/self/comm").unwrap();
    for (reason, by_process) in
        [("NO_SOCKET", false), ("TCP_STATE", true), ("TCP_ABORT_ON_CLOSE", true)]
    {
        let told: Vec<&Value> =
            events.iter().filter(|event| event["kernel"]["reason"] == reason).collect();
        assert_eq!(told.len(), 4, "{reason}: {events:?}");
        for event in told {
            let kernel = &event["kernel"];
            assert_eq!(kernel["process"].as_str(), by_process.then(|| own.trim()), "{event}");
            let pid = u64::from(std::process::id());
            assert_eq!(kernel["pid"].as_u64(), by_process.then_some(pid), "{event}");
            assert_eq!(kernel["state"].as_str(), by_process.then_some("CLOSE"), "{event}");
            assert!(kernel["contradicts"].is_null(), "{event}");
        }
    }
}

#[test]
fn a_reset_that_the_hosts_sockets_did_not_send_has_no_account() {
    if !tracing::ready() {
        return;
    }
    let Some(net) = Net::new() else { return };
    let tap = Program::listening(&net, &ASKING);
    let listener = net.on_server(|| TcpListener::bind(SocketAddr::from((SERVER, 0))).unwrap());
    let service = listener.local_addr().unwrap();
    let client = |port| SocketAddr::from((CLIENT, port));
    net.on_client(|| {
        let sender = raw::Sender::new("wire");
        // A forged reset, and a stray ACK that the listening socket itself will answer with one.
        sender.send(&segment(client(7001), service, 1, 0, 0x04));
        sender.send(&segment(client(7002), service, 1, 77, 0x10));
    });
    let ended = tap.stop();
    let events = events(&ended);
    let [forged, answered] = &events[..] else { panic!("{events:?}") };
    assert_eq!(forged["sport"], 7001, "{forged}");
    assert!(forged.get("kernel").is_none(), "{forged}");
    assert_eq!(answered["dport"], 7002, "{answered}");
    assert_eq!(answered["kernel"]["reason"], "TCP_FLAGS", "{answered}");
    assert_eq!(answered["kernel"]["state"], "LISTEN", "{answered}");
    assert!(answered["kernel"].get("process").is_none(), "{answered}");
}

#[test]
fn summaries_say_how_many_resets_the_kernel_accounts_for() {
    if !tracing::ready() {
        return;
    }
    let Some(net) = Net::new() else { return };
    let mut command = Command::new(env!("CARGO_BIN_EXE_resetscope"));
    command.args(["monitor", "-i", "tap", "--kernel-reasons"]).args(ONE);
    let mut tap = Program::start(&net, &mut command);
    tap.says("listening on tap");
    traffic::connections(&net, 1);
    let ended = tap.stop();
    assert!(ended.status.success(), "{}", ended.said);
    assert_eq!(ended.lines.last().map(String::as_str), Some("kernel: reason known for 3 of 3"));
}

#[test]
fn the_trace_instance_is_there_while_it_is_needed_and_not_longer() {
    if !tracing::ready() {
        return;
    }
    let Some(net) = Net::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("asking.toml");
    fs::write(&file, "kernel_reasons = true\nuser = \"65534\"\n").unwrap();
    let configured = [ONE[0], ONE[1], "--config", file.to_str().unwrap()];
    for arguments in [&ASKING[..], &configured] {
        let tap = Program::listening(&net, arguments);
        let instance = tracing::instance(tap.id());
        assert!(instance.is_dir(), "{arguments:?}");
        assert!(tap.stop().status.success());
        assert!(!instance.exists(), "ended: {arguments:?}");

        let tap = Program::listening(&net, arguments);
        let instance = tracing::instance(tap.id());
        tap.signal(Signal::KILL);
        wait_for("the end of the instance", || (!instance.exists()).then_some(()));
    }

    let refused = Program::monitor(&net, &["--kernel-reasons", "--events", "/nowhere/events"]);
    let instance = tracing::instance(refused.id());
    assert_eq!(refused.ended().status.code(), Some(1));
    assert!(!instance.exists(), "after an error that came later");

    let tap = Program::listening(&net, &ONE);
    assert!(!tracing::instance(tap.id()).exists(), "nobody asked");
}

#[test]
fn an_instance_that_was_left_behind_is_removed_at_the_next_start_and_no_other() {
    if !tracing::ready() {
        return;
    }
    let Some(net) = Net::new() else { return };
    let living = Program::listening(&net, &ASKING);
    let killed = Program::listening(&net, &ASKING);
    let left = tracing::instance(killed.id());
    let children = format!("/proc/{0}/task/{0}/children", killed.id());
    let keeper = fs::read_to_string(children).unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(keeper).unwrap(), Signal::KILL).unwrap();
    killed.signal(Signal::KILL);
    drop(killed);
    // Nobody is left to remove it but the next that starts: this, or one of a test beside it.
    let next = Program::listening(&net, &ASKING);
    assert!(!left.exists());
    for program in [living, next] {
        assert!(tracing::instance(program.id()).is_dir(), "in use");
    }
}

#[test]
fn where_the_kernel_cannot_be_asked_one_sentence_says_what_to_do() {
    if let Err(reason) = tracing::hidden() {
        return println!("skipped: tracefs cannot be hidden here: {reason}");
    }
    let Some(net) = Net::new() else { return };
    let ended = Program::monitor(&net, &["--kernel-reasons"]).ended();
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.said.contains("mount -t tracefs tracefs /sys/kernel/tracing"), "{}", ended.said);
    assert_eq!(ended.said.lines().count(), 1, "{}", ended.said);
}
