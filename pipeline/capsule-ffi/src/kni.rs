//! The kernel network interface (KNI), which DPDK 23.11 took away and Debian never built: its names,
//! so that capsule compiles, and the answer that there is none.

#![expect(non_camel_case_types, reason = "DPDK's names")]

use std::ffi::{c_char, c_int, c_uint};
use std::ptr;

use crate::bound::{rte_mbuf, rte_mempool};

/// A KNI device; there is none.
#[derive(Debug)]
pub struct rte_kni {
    _none: [u8; 0],
}

/// What a KNI device would be made from.
#[derive(Clone, Copy, Debug, Default)]
pub struct rte_kni_conf {
    /// Its name.
    pub name: [c_char; 32],
    /// Its port.
    pub group_id: u16,
    /// Size of its buffers in bytes.
    pub mbuf_size: c_uint,
    /// Its hardware address.
    pub mac_addr: [u8; 6],
}

/// What a KNI device would call.
#[derive(Clone, Copy, Debug, Default)]
pub struct rte_kni_ops {
    /// Its port.
    pub port_id: u16,
    /// To change the MTU.
    pub change_mtu: Option<unsafe extern "C" fn(u16, c_uint) -> c_int>,
    /// To go up or down.
    pub config_network_if: Option<unsafe extern "C" fn(u16, u8) -> c_int>,
    /// To change the hardware address.
    pub config_mac_address: Option<unsafe extern "C" fn(u16, *mut u8) -> c_int>,
    /// To change promiscuous mode.
    pub config_promiscusity: Option<unsafe extern "C" fn(u16, u8) -> c_int>,
}

/// Fails: there is no KNI.
///
/// # Safety
/// Touches nothing.
#[must_use]
pub const unsafe fn rte_kni_init(_max: c_uint) -> c_int {
    -95 // ENOTSUP
}

/// Does nothing.
///
/// # Safety
/// Touches nothing.
pub const unsafe fn rte_kni_close() {}

/// Fails: there is no KNI.
///
/// # Safety
/// Touches nothing.
#[must_use]
pub const unsafe fn rte_kni_alloc(
    _pool: *mut rte_mempool,
    _conf: *const rte_kni_conf,
    _ops: *mut rte_kni_ops,
) -> *mut rte_kni {
    ptr::null_mut()
}

/// Fails: there is no KNI.
///
/// # Safety
/// Touches nothing.
#[must_use]
pub const unsafe fn rte_kni_release(_kni: *mut rte_kni) -> c_int {
    -95
}

/// Receives nothing.
///
/// # Safety
/// Touches nothing.
#[must_use]
pub const unsafe fn rte_kni_rx_burst(
    _kni: *mut rte_kni,
    _mbufs: *mut *mut rte_mbuf,
    _count: c_uint,
) -> c_uint {
    0
}

/// Sends nothing.
///
/// # Safety
/// Touches nothing.
#[must_use]
pub const unsafe fn rte_kni_tx_burst(
    _kni: *mut rte_kni,
    _mbufs: *mut *mut rte_mbuf,
    _count: c_uint,
) -> c_uint {
    0
}

/// Fails: there is no KNI.
///
/// # Safety
/// Touches nothing.
#[must_use]
pub const unsafe fn rte_kni_handle_request(_kni: *mut rte_kni) -> c_int {
    -95
}
