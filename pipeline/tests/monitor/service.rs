//! A tap as a service: what the service manager hears of it.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::live::net::Net;
use crate::live::program::{PATIENCE, Program};

/// Somebody who listens as the service manager does.
struct Manager {
    socket: UnixDatagram,
    heard: Vec<String>,
}

impl Manager {
    fn new(socket: UnixDatagram) -> Self {
        Self { socket, heard: Vec::new() }
    }

    /// Waits until a message has a line that begins like this.
    fn hears(&mut self, begins: &str) {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if self.next(until) && self.last_has(begins) {
                return;
            }
        }
        panic!("never heard {begins}, only {:?}", self.heard);
    }

    fn last_has(&self, begins: &str) -> bool {
        self.heard.last().is_some_and(|last| last.lines().any(|line| line.starts_with(begins)))
    }

    fn next(&mut self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.socket.set_read_timeout(Some(left)).unwrap();
        let mut buffer = [0; 4096];
        let Ok(len) = self.socket.recv(&mut buffer) else { return false };
        self.heard.push(String::from_utf8(buffer[..len].to_vec()).unwrap());
        true
    }

    /// Everything that has come by now.
    fn drain(&mut self) -> &[String] {
        self.socket.set_nonblocking(true).unwrap();
        while self.next(Instant::now()) {}
        self.socket.set_nonblocking(false).unwrap();
        &self.heard
    }
}

fn tap(net: &Net, socket: &str, arguments: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_resetscope"));
    command
        .args(["monitor", "-i", "tap", "--format", "json", "--flows", "8192"])
        .args(arguments)
        .env("NOTIFY_SOCKET", socket)
        .env("WATCHDOG_USEC", "300000")
        .env_remove("WATCHDOG_PID");
    Program::start(net, &mut command)
}

#[test]
fn the_manager_hears_of_the_beginning_of_life_and_of_the_end() {
    let Some(net) = Net::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    // An abstract socket belongs to a network namespace: the tap's.
    let name = format!("resetscope-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let hidden = net.on_server(|| UnixDatagram::bind_addr(&address)).unwrap();
    for (socket, written) in [
        (UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap().to_owned()),
        (hidden, format!("@{name}")),
    ] {
        let mut manager = Manager::new(socket);
        let program = tap(&net, &written, &["--interval", "200ms"]);
        manager.hears("READY=1");
        assert!(manager.last_has("STATUS=listening on tap"), "{:?}", manager.heard);
        manager.hears("WATCHDOG=1");
        manager.hears("STATUS=0 resets, 0 frames, 0 shed in the last 0.");
        manager.hears("WATCHDOG=1");
        program.signal(Signal::TERM);
        manager.hears("STOPPING=1");
        assert!(program.ended().status.success());
        let ready = manager.drain().iter().filter(|text| text.contains("READY=1")).count();
        assert_eq!(ready, 1, "{:?}", manager.heard);
    }
}

#[test]
fn a_tap_that_waits_for_its_interface_is_ready_and_alive() {
    let Some(net) = Net::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let mut manager = Manager::new(UnixDatagram::bind(&path).unwrap());
    net.ip_server(&["link", "set", "tap", "down"]);
    let program = tap(&net, path.to_str().unwrap(), &[]);
    manager.hears("READY=1");
    assert!(manager.last_has("STATUS=tap is down"), "{:?}", manager.heard);
    manager.hears("WATCHDOG=1");
    net.ip_server(&["link", "set", "tap", "up"]);
    manager.hears("STATUS=listening on tap");
    assert!(program.stop().status.success());
}

#[test]
fn a_manager_that_is_not_there_is_told_of_once_and_stops_nothing() {
    let Some(net) = Net::new() else { return };
    let mut program = tap(&net, "/nowhere/at/all", &["--interval", "100ms"]);
    program.says("cannot reach the service manager at /nowhere/at/all");
    for _ in 0..3 {
        program.summary();
    }
    let ended = program.stop();
    assert!(ended.status.success());
    assert_eq!(ended.said.matches("service manager").count(), 1, "{}", ended.said);
}
