//! Functions whose behaviour DPDK changed after 19.11, or that capsule calls with less than the
//! device needs.

use std::ffi::{CStr, c_char, c_int};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::bound::rte_eth_conf;

mod real {
    use super::{c_char, c_int, rte_eth_conf};

    unsafe extern "C" {
        pub(super) fn rte_eal_init(argc: c_int, argv: *mut *mut c_char) -> c_int;
        pub(super) fn rte_eth_dev_configure(
            port: u16,
            rx_queues: u16,
            tx_queues: u16,
            conf: *const rte_eth_conf,
        ) -> c_int;
    }
}

/// Options that DPDK 21.11 took away, and what they are called now.
const RESPELLED: [(&CStr, &CStr); 3] = [
    (c"--master-lcore", c"--main-lcore"),
    (c"--pci-whitelist", c"--allow"),
    (c"--pci-blacklist", c"--block"),
];

/// Looks at the devices that DPDK has found; below zero, as a negative error number, makes
/// [`rte_eal_init`] fail.
pub type Survey = fn() -> c_int;

static SURVEY: RwLock<Option<Survey>> = RwLock::new(None);

/// Lets `survey` look at the devices once DPDK has found them, before capsule asks anything of them.
pub fn survey_devices(survey: Survey) {
    *SURVEY.write().unwrap_or_else(PoisonError::into_inner) = Some(survey);
}

/// Whether DPDK has been started, which can be done once in a process.
static STARTED: AtomicBool = AtomicBool::new(false);

/// `rte_eal_init`, for options in the spelling of DPDK 19.11. Once it has succeeded it does nothing
/// any more: so capsule, which calls it whenever it builds a runtime, can build another one after
/// [`survey_devices`] had it fail.
///
/// # Safety
/// As for DPDK's function: `argv` holds `argc` C strings that live as long as the program.
pub unsafe fn rte_eal_init(argc: c_int, argv: *mut *mut c_char) -> c_int {
    if STARTED.load(Ordering::Acquire) {
        return 0;
    }
    let count = usize::try_from(argc).unwrap_or(0);
    // SAFETY: the caller vouches for `argc` pointers at `argv`.
    let options = unsafe { std::slice::from_raw_parts_mut(argv, count) };
    for place in 0..options.len() {
        // SAFETY: the caller vouches for C strings.
        let text = |at: &*mut c_char| unsafe { CStr::from_ptr(*at) };
        let is_pci = options.get(place + 1).is_some_and(|value| is_pci_address(text(value)));
        let Some(option) = options.get_mut(place) else { break };
        let given = text(option);
        // capsule takes an address with hexadecimal letters for a virtual device.
        if given == c"--vdev" && is_pci {
            *option = c"--allow".as_ptr().cast_mut();
        }
        if let Some((_, now)) = RESPELLED.iter().find(|(then, _)| *then == given) {
            // Nobody writes to it: DPDK only compares and copies options.
            *option = now.as_ptr().cast_mut();
        }
    }
    // SAFETY: the caller's promise, with some strings replaced by others.
    let parsed = unsafe { real::rte_eal_init(argc, argv) };
    if parsed < 0 {
        return parsed;
    }
    STARTED.store(true, Ordering::Release);
    let survey = *SURVEY.read().unwrap_or_else(PoisonError::into_inner);
    survey.map_or(parsed, |survey| match survey() {
        refused @ ..0 => refused,
        _ => parsed,
    })
}

/// Whether this is `domain:bus:device.function`, all but the function in hexadecimal, with or
/// without the domain.
fn is_pci_address(text: &CStr) -> bool {
    let Some((place, function)) = text.to_str().ok().and_then(|text| text.rsplit_once('.')) else {
        return false;
    };
    let hex = |part: &str, most| {
        (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let parts: Vec<&str> = place.split(':').collect();
    let placed = match parts[..] {
        [bus, device] => hex(bus, 2) && hex(device, 2),
        [domain, bus, device] => hex(domain, 8) && hex(bus, 2) && hex(device, 2),
        _ => false,
    };
    placed && matches!(function.as_bytes(), [b'0'..=b'7'])
}

/// Changes the configuration that a port (by its number) is about to get; below zero, as a negative
/// error number, keeps it from being configured.
pub type Amend = fn(port: u16, queues: u16, conf: &mut rte_eth_conf) -> c_int;

static AMEND: RwLock<Option<Amend>> = RwLock::new(None);

/// Lets `amend` see and change every port's configuration before the device gets it: capsule asks
/// for receive side scaling without a key, and for no other offload.
pub fn amend_configuration(amend: Amend) {
    *AMEND.write().unwrap_or_else(PoisonError::into_inner) = Some(amend);
}

/// `rte_eth_dev_configure`, after what [`amend_configuration`] was given.
///
/// # Safety
/// As for DPDK's function: `conf` points to a configuration.
pub unsafe fn rte_eth_dev_configure(
    port: u16,
    rx_queues: u16,
    tx_queues: u16,
    conf: *const rte_eth_conf,
) -> c_int {
    // SAFETY: the caller vouches for it.
    let mut conf = unsafe { *conf };
    let amend = *AMEND.read().unwrap_or_else(PoisonError::into_inner);
    let refused = amend.map_or(0, |amend| amend(port, rx_queues, &mut conf));
    if refused < 0 {
        return refused;
    }
    // SAFETY: the configuration lives during the call, which copies it.
    unsafe { real::rte_eth_dev_configure(port, rx_queues, tx_queues, &raw const conf) }
}

#[cfg(test)]
mod tests {
    use super::is_pci_address;

    #[test]
    fn pci_addresses_are_told_from_virtual_devices() {
        for address in [c"0000:af:00.0", c"af:00.1", c"10000:3b:1f.7"] {
            assert!(is_pci_address(address), "{address:?}");
        }
        for other in [c"net_pcap0,rx_pcap=a:b.0", c"net_null0", c"0000:ag:00.0", c"af:00.8", c""] {
            assert!(!is_pci_address(other), "{other:?}");
        }
    }
}
