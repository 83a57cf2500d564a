//! What a test of DPDK stands on: huge pages, devices, a configuration.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::live::net::Net;
use crate::live::program::Program;

/// Small enough that tests fit beside each other; queues that hold all traffic of a test, as on a busy
/// machine a worker may not get its core before that is over.
const MEMORY: &str = "memory_mib = 64\nbuffers = 8191\nrx_descriptors = 2048\n";

/// What takes frames from the interface `tap`, or from a copy of it.
pub(crate) const ON_TAP: &str = "net_af_packet0,iface=tap,blocksz=65536,framesz=2048,framecnt=4096";
pub(crate) const TWO_SOCKETS: &str = "net_af_packet0,iface=tap,qpairs=2";
pub(crate) const ON_COPY: &str = "net_af_xdp0,iface=copy,start_queue=0,queue_count=1";

/// Says why DPDK cannot be tried here, if so.
pub(crate) fn is_missing() -> bool {
    let free = fs::read_to_string("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
    let free = free.unwrap_or_default().trim().parse().unwrap_or(0);
    let reason = if !rustix::process::geteuid().is_root() {
        "DPDK's devices take root"
    } else if free < 128 {
        "there are too few huge pages: run scripts/setup-dpdk"
    } else {
        return false;
    };
    println!("skipped: {reason}");
    true
}

/// Namespaces in which `device` is there; says why, if not.
pub(crate) fn net_with(device: &str) -> Option<Net> {
    if is_missing() {
        return None;
    }
    Net::new().filter(|net| device != ON_COPY || mirror(net))
}

/// Copies all that passes `tap` to `mirror`, whose other end is `copy`; false where the kernel cannot.
fn mirror(net: &Net) -> bool {
    net.ip_server(&["link", "add", "mirror", "type", "veth", "peer", "name", "copy"]);
    net.ip_server(&["link", "set", "dev", "mirror", "up"]);
    net.ip_server(&["link", "set", "dev", "copy", "up"]);
    let tc = |arguments: &str| {
        net.on_server(|| Command::new("tc").args(arguments.split(' ')).output())
            .is_ok_and(|output| output.status.success())
    };
    let way = |way: &str| {
        format!(
            "filter add dev tap {way} protocol all u32 match u32 0 0 action mirred egress mirror \
             dev mirror"
        )
    };
    let done = tc("qdisc add dev tap clsact") && tc(&way("ingress")) && tc(&way("egress"));
    if !done {
        println!("skipped: the kernel cannot mirror an interface");
    }
    done
}

/// A configuration in a folder of its own.
pub(crate) struct Written(TempDir);

impl Written {
    pub(crate) fn new(device: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let memory = if more.contains("memory_mib") { "" } else { MEMORY };
        let text = format!("flows = 8192\n[dpdk]\ndevices = [\"{device}\"]\n{memory}{more}\n");
        fs::write(folder.path().join("dpdk.toml"), text).unwrap();
        Self(folder)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_resetscope"));
        command.args(["monitor", "--format", "json", "--config"]);
        command.arg(self.0.path().join("dpdk.toml")).args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn listening(&self, net: &Net, arguments: &[&str]) -> Program {
        let mut program = Program::start(net, &mut self.command(arguments));
        program.says("listening on net_");
        program
    }
}
