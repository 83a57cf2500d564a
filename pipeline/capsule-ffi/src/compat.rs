//! Functions whose behaviour DPDK changed after 19.11, or that capsule calls with less than the
//! device needs.

use std::ffi::{CStr, c_char, c_int};
use std::sync::RwLock;

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

/// `rte_eal_init`, for options in the spelling of DPDK 19.11.
///
/// # Safety
/// As for DPDK's function: `argv` holds `argc` C strings that live as long as the program.
pub unsafe fn rte_eal_init(argc: c_int, argv: *mut *mut c_char) -> c_int {
    let count = usize::try_from(argc).unwrap_or(0);
    // SAFETY: the caller vouches for `argc` pointers at `argv`.
    let options = unsafe { std::slice::from_raw_parts_mut(argv, count) };
    for option in options {
        // SAFETY: the caller vouches for C strings.
        let given = unsafe { CStr::from_ptr(*option) };
        if let Some((_, now)) = RESPELLED.iter().find(|(then, _)| *then == given) {
            // Nobody writes to it: DPDK only compares and copies options.
            *option = now.as_ptr().cast_mut();
        }
    }
    // SAFETY: the caller's promise, with some strings replaced by others.
    unsafe { real::rte_eal_init(argc, argv) }
}

/// Changes the configuration that a port (by its number) is about to get; below zero, as a negative
/// error number, keeps it from being configured.
pub type Amend = fn(port: u16, queues: u16, conf: &mut rte_eth_conf) -> c_int;

static AMEND: RwLock<Option<Amend>> = RwLock::new(None);

/// Lets `amend` see and change every port's configuration before the device gets it: capsule asks
/// for receive side scaling without a key, and for no other offload.
pub fn amend_configuration(amend: Amend) {
    *AMEND.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(amend);
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
    let amend = *AMEND.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let refused = amend.map_or(0, |amend| amend(port, rx_queues, &mut conf));
    if refused < 0 {
        return refused;
    }
    // SAFETY: the configuration lives during the call, which copies it.
    unsafe { real::rte_eth_dev_configure(port, rx_queues, tx_queues, &raw const conf) }
}
