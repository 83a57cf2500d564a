//! Network namespaces for one test, gone when it ends however it ends.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Address of the client side.
pub(crate) const CLIENT: [u8; 4] = [10, 9, 0, 1];

/// Address of the server side, where the tap is.
pub(crate) const SERVER: [u8; 4] = [10, 9, 0, 2];

/// An address that nobody has, although it leads to the server side.
pub(crate) const NOBODY: [u8; 4] = [10, 9, 0, 99];

const CLIENT_MAC: &str = "02:00:00:00:00:01";
const SERVER_MAC: &str = "02:00:00:00:00:02";

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Two namespaces with a cable between them: `wire` in the client's, `tap` in the server's. The
/// neighbours are known beforehand and there is no IPv6, so nothing passes but what the test sends.
pub(crate) struct Net {
    client: String,
    server: String,
}

impl Net {
    /// Makes it, or says why that cannot be done here.
    pub(crate) fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: network namespaces take root");
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = |side: &str| format!("resetscope-{}-{number}-{side}", std::process::id());
        let net = Self { client: name("client"), server: name("server") };
        for space in [&net.client, &net.server] {
            if let Err(reason) = try_ip(&["netns", "add", space]) {
                println!("skipped: cannot make a network namespace: {reason}");
                return None;
            }
            within(space, || {
                let off = "/proc/sys/net/ipv6/conf/all/disable_ipv6";
                // A kernel without IPv6 is as good.
                let _ = std::fs::write(off, "1");
            });
        }
        net.plug();
        Some(net)
    }

    /// Lays the cable, with both ends up.
    pub(crate) fn plug(&self) {
        ip(&[
            "link",
            "add",
            "wire",
            "netns",
            &self.client,
            "address",
            CLIENT_MAC,
            "type",
            "veth",
            "peer",
            "name",
            "tap",
            "netns",
            &self.server,
            "address",
            SERVER_MAC,
        ]);
        for (space, end, own, other, mac) in [
            (&self.client, "wire", CLIENT, SERVER, SERVER_MAC),
            (&self.server, "tap", SERVER, CLIENT, CLIENT_MAC),
        ] {
            let own = format!("{}/24", std::net::Ipv4Addr::from(own));
            ip(&["-n", space, "addr", "add", &own, "dev", end]);
            ip(&["-n", space, "link", "set", end, "up"]);
            let other = std::net::Ipv4Addr::from(other).to_string();
            ip(&["-n", space, "neigh", "replace", &other, "lladdr", mac, "dev", end]);
        }
        let nobody = std::net::Ipv4Addr::from(NOBODY).to_string();
        ip(&["-n", &self.client, "neigh", "replace", &nobody, "lladdr", SERVER_MAC, "dev", "wire"]);
    }

    /// Runs `ip` on the server side.
    pub(crate) fn ip_server(&self, arguments: &[&str]) -> String {
        ip(&[&["-n", &self.server], arguments].concat())
    }

    /// Runs `act` on the client side.
    pub(crate) fn on_client<R: Send>(&self, act: impl FnOnce() -> R + Send) -> R {
        within(&self.client, act)
    }

    /// Runs `act` on the server side; a program that it starts stays there.
    pub(crate) fn on_server<R: Send>(&self, act: impl FnOnce() -> R + Send) -> R {
        within(&self.server, act)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for space in [&self.client, &self.server] {
            let _ = try_ip(&["netns", "del", space]);
        }
    }
}

/// Runs `act` in a thread that has moved into the namespace.
fn within<R: Send>(space: &str, act: impl FnOnce() -> R + Send) -> R {
    let file = File::open(format!("/run/netns/{space}")).unwrap();
    thread::scope(|scope| {
        let moved = scope.spawn(move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            act()
        });
        moved.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn ip(arguments: &[&str]) -> String {
    try_ip(arguments).unwrap_or_else(|reason| panic!("ip {}: {reason}", arguments.join(" ")))
}

fn try_ip(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}
