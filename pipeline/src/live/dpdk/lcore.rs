//! DPDK's view of threads: which of them may keep buffers for themselves, and the one that is its
//! own.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::marker::PhantomData;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use capsule_ffi as ffi;

use super::error::DeviceError;
use super::session::GiveUp;

/// How long DPDK's thread may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The calling thread, known to DPDK. Without that every buffer would come from and go to the pool
/// that all cores share.
pub(super) struct Lcore {
    /// It belongs to its thread.
    _here: PhantomData<*const ()>,
}

impl Lcore {
    /// Makes the calling thread known; `None` when DPDK has no room for it, which costs speed only.
    pub(super) fn register() -> Option<Self> {
        // SAFETY: it concerns the calling thread alone, which stays as it is until `drop`.
        (unsafe { ffi::rte_thread_register() } == 0).then_some(Self { _here: PhantomData })
    }
}

impl Drop for Lcore {
    fn drop(&mut self) {
        // SAFETY: the thread was registered, and this is it.
        unsafe { ffi::rte_thread_unregister() };
    }
}

/// Gives up the privileges of the thread that DPDK itself has started for interrupts and alarms.
pub(super) fn give_up_elsewhere(give_up: &GiveUp) -> Result<(), DeviceError> {
    let failed = |reason: &str| DeviceError::Privileges { reason: reason.to_owned() };
    let (send, answer) = channel();
    let errand = Box::into_raw(Box::new(Errand { give_up: GiveUp::clone(give_up), send }));
    // SAFETY: the function has the type that DPDK calls, once, with this pointer.
    if unsafe { ffi::rte_eal_alarm_set(1, Some(run_errand), errand.cast()) } != 0 {
        // SAFETY: the alarm was not set, so the pointer is still ours alone.
        drop(unsafe { Box::from_raw(errand) });
        return Err(failed("DPDK's thread cannot be asked"));
    }
    let answer =
        answer.recv_timeout(PATIENCE).map_err(|_| failed("DPDK's thread does not answer"))?;
    answer.map_err(|reason| DeviceError::Privileges { reason })
}

struct Errand {
    give_up: GiveUp,
    send: Sender<Result<(), String>>,
}

unsafe extern "C" fn run_errand(errand: *mut c_void) {
    // SAFETY: the pointer was made of a box in `give_up_elsewhere` and comes here once.
    let errand = unsafe { Box::from_raw(errand.cast::<Errand>()) };
    let _ = errand.send.send((errand.give_up)(false));
}

/// Closes every port that there is.
pub(super) fn close_all() {
    for port in 0..ffi::RTE_MAX_ETHPORTS as u16 {
        // SAFETY: numbers go in; only ports that exist are closed.
        unsafe {
            if ffi::rte_eth_dev_is_valid_port(port) != 0 {
                ffi::rte_eth_promiscuous_disable(port);
                ffi::rte_eth_dev_close(port);
            }
        }
    }
}
