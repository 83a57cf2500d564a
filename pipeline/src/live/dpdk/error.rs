//! What can keep DPDK from running: one sentence each, with the remedy.

use std::io;
use std::path::PathBuf;

/// Why a DPDK tap cannot be opened or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// Not enough huge pages.
    #[error(
        "DPDK is to have {needed_mib} MiB on huge pages and {free_mib} MiB of them are free: run \
         `sudo scripts/setup-dpdk --pages {pages}`, lower dpdk.memory_mib, or set dpdk.huge_pages \
         = false (slower)"
    )]
    HugePages {
        /// Asked for, in MiB.
        needed_mib: u64,
        /// There are, in MiB.
        free_mib: u64,
        /// Pages of 2 MiB that would do.
        pages: u64,
    },
    /// Not enough memory for the packet buffers.
    #[error(
        "the packet buffers do not fit into DPDK's memory: raise dpdk.memory_mib or lower \
         dpdk.buffers"
    )]
    Buffers,
    /// No such PCI device.
    #[error("there is no PCI device {address}; `dpdk-devbind.py --status` lists those there are")]
    NoPci {
        /// Its address.
        address: String,
    },
    /// A PCI device that the kernel uses.
    #[error(
        "{address} belongs to the kernel's driver {driver}: give it to DPDK with `sudo \
         dpdk-devbind.py -b vfio-pci {address}`"
    )]
    KernelsPci {
        /// Its address.
        address: String,
        /// Its driver.
        driver: String,
    },
    /// A PCI device that nobody uses.
    #[error(
        "{address} has no driver: give it to DPDK with `sudo dpdk-devbind.py -b vfio-pci {address}`"
    )]
    IdlePci {
        /// Its address.
        address: String,
    },
    /// No such network interface.
    #[error("{device}: there is no interface {name}; there are: {}", present.join(", "))]
    NoInterface {
        /// The device that names it.
        device: String,
        /// Its name.
        name: String,
        /// Those there are.
        present: Vec<String>,
    },
    /// A recording that cannot be read.
    #[error("{device}: cannot read {}", path.display())]
    Recording {
        /// The device that names it.
        device: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The process may not do what the device takes.
    #[error("opening {devices} takes root: start the program with sudo ({said})")]
    Permission {
        /// The devices.
        devices: String,
        /// What DPDK said.
        said: String,
    },
    /// Another process has the device.
    #[error(
        "{devices} is in use by another program, which must end first, or cannot be used like this \
         ({said})"
    )]
    Busy {
        /// The devices.
        devices: String,
        /// What DPDK said.
        said: String,
    },
    /// The device cannot deal out flows.
    #[error(
        "{device} (driver {driver}) cannot deal out connections to {queues} queues with both \
         directions in the same one: leave dpdk.steering = \"hardware\" out, or use one worker"
    )]
    NoSymmetry {
        /// The device.
        device: String,
        /// Its driver.
        driver: String,
        /// Queues asked for.
        queues: u16,
    },
    /// The device has fewer queues.
    #[error(
        "{device} (driver {driver}) has {most} receive queue{}, and {queues} are asked for: leave \
         dpdk.steering = \"hardware\" out, or use as many workers as it has queues",
        if *most == 1 { "" } else { "s" }
    )]
    Queues {
        /// The device.
        device: String,
        /// Its driver.
        driver: String,
        /// Queues asked for.
        queues: u16,
        /// Queues it has.
        most: u16,
    },
    /// A virtual device that spreads frames over more queues than there are.
    #[error(
        "{device} spreads frames over {spread} queues, and {queues} will be read: leave {key}= out of \
         its arguments"
    )]
    Unread {
        /// The device.
        device: String,
        /// The argument that says so.
        key: &'static str,
        /// Queues over which it spreads frames.
        spread: usize,
        /// Queues that are received from.
        queues: usize,
    },
    /// The device is at another NUMA node than the cores.
    #[error(
        "no core of NUMA node {node}, where the device is, is in use: name some of that node's with \
         --cores (`lscpu` lists them)"
    )]
    Node {
        /// The node.
        node: String,
    },
    /// The cable is out.
    #[error(
        "{device} has had no link for {waited_s} s: look after its cable and the other end, or \
         raise dpdk.link_wait_s"
    )]
    NoLink {
        /// The device.
        device: String,
        /// Seconds waited.
        waited_s: u64,
    },
    /// Anything else that DPDK refused.
    #[error("DPDK cannot open {devices}: {said}")]
    Refused {
        /// The devices.
        devices: String,
        /// What it said.
        said: String,
    },
    /// Something went wrong inside capsule or DPDK while it ran.
    #[error("DPDK stopped: {said}")]
    Stopped {
        /// What it said.
        said: String,
    },
    /// The system refused something that has to do with threads.
    #[error("cannot {doing}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Privileges could not be given up.
    #[error("cannot give up privileges: {reason}")]
    Privileges {
        /// Why.
        reason: String,
    },
}
