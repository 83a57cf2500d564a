//! A port of DPDK: what it can do, what is asked of it beyond what capsule asks, what it counts.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_int};
use std::mem::MaybeUninit;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use capsule_ffi as ffi;
use resetscope_core::interval::{Ledger, Shed};

use super::error::DeviceError;
use super::settings::Device;
use super::sockets::Sockets;
use super::times::{Ticks, Times, Unit};
use crate::config::Dpdk;
use crate::live::interface::Inquiry;

/// The key of Woo and Park, "Scalable TCP session monitoring with symmetric receive-side scaling"
/// (2012): with it the Toeplitz hash is the same for both directions. Longer than any device's key.
static SYMMETRIC_KEY: [u8; 128] = {
    let mut key = [0x6d; 128];
    let mut at = 1;
    while at < key.len() {
        key[at] = 0x5a;
        at += 2;
    }
    key
};

/// Bytes of a key, where the device does not say.
const KEY_BYTES: u8 = 40;

/// Payload of an Ethernet frame that fits into one buffer of capsule's: 2048 bytes with the header
/// and two VLAN tags.
const ONE_BUFFER_MTU: u64 = 2048 - 22;

/// Time over which a device's clock is measured at the start.
const MEASURE: Duration = Duration::from_millis(50);

/// What is asked of the ports.
struct Asked {
    config: Dpdk,
    devices: Vec<Device>,
    /// Receive queues of each, which take connections in one piece if they are several.
    queues: u16,
}

/// What [`survey`] and [`amend`] ask for; DPDK can be started only once in a process.
static ASKED: OnceLock<Asked> = OnceLock::new();

/// Why [`survey`] refused.
static REFUSED: Mutex<Option<DeviceError>> = Mutex::new(None);

/// Has DPDK, once it has found the devices, refuse to go on with those that cannot spread
/// connections over `queues` queues, and every port that capsule configures from now on configured
/// as `config` says.
pub(super) fn ask(config: &Dpdk, devices: &[Device], queues: u16) {
    let _ = ASKED.set(Asked { config: config.clone(), devices: devices.to_vec(), queues });
    ffi::survey_devices(survey);
    ffi::amend_configuration(amend);
}

/// Looks whether the devices that there are can do what is asked.
fn survey() -> c_int {
    let Some(Asked { devices, queues, .. }) = ASKED.get() else { return 0 };
    let refused = devices.iter().find_map(|device| cannot_spread(device, *queues));
    let result = if refused.is_some() { -libc::ENOTSUP } else { 0 };
    *REFUSED.lock().unwrap_or_else(PoisonError::into_inner) = refused;
    result
}

/// Why a device cannot bring both directions of a connection to one of so many queues, if so.
fn cannot_spread(device: &Device, queues: u16) -> Option<DeviceError> {
    // What is wrong with one that is not there is said when it is opened.
    let info = info(number_of(&device.name)?)?;
    // Capsule asks for as many queues to send.
    let most = info.max_rx_queues.min(info.max_tx_queues);
    let (device, driver) = (device.name.clone(), driver_of(&info));
    if queues > most.max(1) {
        Some(DeviceError::Queues { device, driver, queues, most })
    } else if queues > 1 && symmetric(info.flow_type_rss_offloads).is_none() {
        Some(DeviceError::NoSymmetry { device, driver, queues })
    } else {
        None
    }
}

/// Why the devices were refused, if they were.
pub(super) fn refusal() -> Option<DeviceError> {
    REFUSED.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn amend(port: u16, queues: u16, conf: &mut ffi::rte_eth_conf) -> c_int {
    let (Some(info), Some(Asked { config: asked, .. })) = (info(port), ASKED.get()) else {
        return -libc::ENODEV;
    };
    if let Some(mtu) = asked.mtu {
        conf.rxmode.mtu = mtu.as_u32();
        if mtu.get() > ONE_BUFFER_MTU {
            conf.rxmode.offloads |= ffi::CAPSULE_RX_SCATTER & info.rx_offload_capa;
        }
    }
    if asked.device_time {
        conf.rxmode.offloads |= ffi::CAPSULE_RX_TIMESTAMP & info.rx_offload_capa;
    }
    if queues > 1 {
        let Some(functions) = symmetric(info.flow_type_rss_offloads) else {
            return -libc::ENOTSUP;
        };
        let rss = &mut conf.rx_adv_conf.rss_conf;
        rss.rss_hf = functions;
        rss.rss_key_len = if info.hash_key_size == 0 { KEY_BYTES } else { info.hash_key_size };
        // DPDK's structure has no `const`, but drivers only copy the key.
        rss.rss_key = SYMMETRIC_KEY.as_ptr().cast_mut();
    }
    0
}

/// The hash functions to ask for, of those that a device offers: `None` when it cannot see the ports
/// of TCP over IPv4, as then connections between the same hosts would not spread.
fn symmetric(offered: u64) -> Option<u64> {
    let wanted = ffi::ETH_RSS_IP | ffi::ETH_RSS_TCP | ffi::ETH_RSS_UDP;
    (offered & ffi::CAPSULE_RSS_TCP4 != 0).then_some(offered & wanted)
}

/// DPDK's number of the device of this name.
fn number_of(name: &str) -> Option<u16> {
    let name = CString::new(name).ok()?;
    let mut id = 0;
    // SAFETY: DPDK reads a C string and writes a number.
    let result = unsafe { ffi::rte_eth_dev_get_port_by_name(name.as_ptr(), &raw mut id) };
    (result == 0).then_some(id)
}

fn info(port: u16) -> Option<ffi::rte_eth_dev_info> {
    let mut info = MaybeUninit::<ffi::rte_eth_dev_info>::zeroed();
    // SAFETY: DPDK writes the structure, or fails and leaves it.
    let result = unsafe { ffi::rte_eth_dev_info_get(port, info.as_mut_ptr()) };
    // SAFETY: all of its members are integers and pointers, for which zero is valid.
    (result == 0).then(|| unsafe { info.assume_init() })
}

fn driver_of(info: &ffi::rte_eth_dev_info) -> String {
    if info.driver_name.is_null() {
        return "unknown".to_owned();
    }
    // SAFETY: DPDK points to the driver's name, a C string that lives as long as the program.
    unsafe { CStr::from_ptr(info.driver_name) }.to_string_lossy().into_owned()
}

/// A port that capsule has configured.
#[derive(Clone, Debug)]
pub(super) struct Port {
    pub(super) id: u16,
    /// The device, as it is named in the configuration.
    pub(super) name: String,
    pub(super) driver: String,
    /// Where its frames' times come from.
    pub(super) times: Times,
    /// The interface of the kernel's that it stands on.
    interface: Option<String>,
    /// Whether a frame without a buffer is lost; at hardware it stays in the queue.
    loses_unbuffered: bool,
}

impl Port {
    /// The port of a device; `device_time` says whether its own clock is wanted.
    pub(super) fn find(device: &Device, device_time: bool) -> Option<Self> {
        let id = number_of(&device.name)?;
        let info = info(id)?;
        let driver = driver_of(&info);
        let stamped = device_time && info.rx_offload_capa & ffi::CAPSULE_RX_TIMESTAMP != 0;
        let times = times(id, device, &driver, stamped);
        // SAFETY: a number goes in. Counters that a device cannot reset are none that were running.
        unsafe { ffi::rte_eth_stats_reset(id) };
        let loses_unbuffered = !device.is_pci();
        let (name, interface) = (device.name.clone(), device.interface().map(str::to_owned));
        Some(Self { id, name, driver, times, interface, loses_unbuffered })
    }

    /// Whether there is a link.
    pub(super) fn has_link(&self) -> bool {
        // Drivers on an interface say that theirs is up, whatever the interface is.
        if let Some(name) = &self.interface {
            return Inquiry::new().is_ok_and(|inquiry| inquiry.carries(name));
        }
        let mut link = ffi::rte_eth_link::default();
        // SAFETY: DPDK writes the structure, or fails and leaves it.
        let result = unsafe { ffi::rte_eth_link_get_nowait(self.id, &raw mut link) };
        // A device that cannot tell has one.
        result != 0 || link.link_status() != 0
    }

    /// Gives promiscuous mode back, which some drivers set on an interface of the kernel's.
    pub(super) fn be_modest(&self) {
        // SAFETY: a number goes in; a port that is not promiscuous stays so.
        unsafe { ffi::rte_eth_promiscuous_disable(self.id) };
    }
}

fn times(id: u16, device: &Device, driver: &str, stamped: bool) -> Times {
    let unit = match driver {
        "net_pcap" if device.is_recording() => Some(Unit::Recorded),
        "net_af_packet" if stamped => Some(Unit::Nanoseconds),
        _ if stamped => measure(id).map(Unit::Ticks),
        _ => None,
    };
    let (mut offset, mut flag) = (0, 0);
    // SAFETY: DPDK writes two numbers: the place that the drivers use, too.
    let result = unsafe { ffi::rte_mbuf_dyn_rx_timestamp_register(&raw mut offset, &raw mut flag) };
    match (unit, usize::try_from(offset)) {
        (Some(unit), Ok(offset)) if result == 0 => Times::Stamps { unit, offset, flag },
        _ => Times::Clock,
    }
}

fn measure(id: u16) -> Option<Ticks> {
    let first = read_clock(id)?;
    thread::sleep(MEASURE);
    Ticks::new(first, read_clock(id)?)
}

/// The device's clock and the system's; `None` when the device does not show its own.
pub(super) fn read_clock(id: u16) -> Option<(u64, u64)> {
    let mut ticks = 0;
    // SAFETY: DPDK writes a number, or fails and leaves it.
    let result = unsafe { ffi::rte_eth_read_clock(id, &raw mut ticks) };
    (result == 0).then(|| (ticks, crate::live::clock::system_ns()))
}

/// Counts what ports lose, and remembers what was counted.
#[derive(Debug)]
pub(super) struct Losses {
    ports: Vec<(u16, bool, [u64; 3])>,
    sockets: Sockets,
}

impl Losses {
    /// Of these ports, from nothing.
    pub(super) fn of(ports: &[Port]) -> Self {
        let ports = ports.iter().map(|port| (port.id, port.loses_unbuffered, [0; 3])).collect();
        Self { ports, sockets: Sockets::find() }
    }

    /// Adds what was lost since the last call.
    pub(super) fn count(&mut self, ledger: &mut Ledger) {
        self.sockets.count(ledger);
        for (id, loses_unbuffered, seen) in &mut self.ports {
            let mut stats = ffi::rte_eth_stats::default();
            // SAFETY: DPDK writes the structure, or fails and leaves it.
            if unsafe { ffi::rte_eth_stats_get(*id, &raw mut stats) } != 0 {
                continue;
            }
            let unbuffered = if *loses_unbuffered { stats.rx_nombuf } else { 0 };
            let now = [stats.imissed, stats.ierrors, unbuffered];
            let reasons = [Shed::NicDrop, Shed::NicError, Shed::NoBuffer];
            for ((reason, now), before) in reasons.into_iter().zip(now).zip(seen.iter_mut()) {
                ledger.lost(reason, now.saturating_sub(*before));
                *before = now;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_functions_that_the_device_has_are_asked_for() {
        let udp = ffi::ETH_RSS_UDP;
        for (offered, want, reason) in [
            (0, None, "no hash at all"),
            (ffi::ETH_RSS_IP | udp, None, "no ports of TCP"),
            (ffi::CAPSULE_RSS_TCP4, Some(ffi::CAPSULE_RSS_TCP4), "only what counts"),
            (
                ffi::CAPSULE_RSS_TCP4 | ffi::CAPSULE_RSS_TCP6 | ffi::ETH_RSS_SCTP,
                Some(ffi::CAPSULE_RSS_TCP4 | ffi::CAPSULE_RSS_TCP6),
                "nothing that is not wanted",
            ),
        ] {
            assert_eq!(symmetric(offered), want, "{reason}");
        }
    }

    /// The Toeplitz hash, as in the verification suite of Microsoft's receive side scaling.
    fn toeplitz(key: &[u8], input: &[u8]) -> u32 {
        let bit = |of: &[u8], at: usize| of[at / 8] >> (7 - at % 8) & 1;
        let window = |at: usize| (0..32).fold(0, |all, i| all << 1 | u32::from(bit(key, at + i)));
        (0..input.len() * 8).filter(|&at| bit(input, at) == 1).fold(0, |hash, at| hash ^ window(at))
    }

    #[test]
    fn the_key_hashes_both_directions_alike() {
        let tuple = |from: [u8; 4], to: [u8; 4], sport: u16, dport: u16| {
            [&from[..], &to, &sport.to_be_bytes(), &dport.to_be_bytes()].concat()
        };
        let (a, b) = ([10, 0, 0, 1], [192, 168, 7, 9]);
        let there = toeplitz(&SYMMETRIC_KEY, &tuple(a, b, 40_000, 443));
        assert_eq!(there, toeplitz(&SYMMETRIC_KEY, &tuple(b, a, 443, 40_000)));
        assert_ne!(there, toeplitz(&SYMMETRIC_KEY, &tuple(a, b, 40_001, 443)), "flows spread");
    }
}
