//! Bindings of the installed DPDK (22.11 LTS and later), under the names by which the crate
//! `capsule` 0.1.5, written for DPDK 19.11, asks for them.
//!
//! `[patch.crates-io]` puts this crate in the place of the one that capsule was published with. It
//! holds no logic of the project's: what capsule does not let its user say, a caller can add with
//! [`amend_configuration`].

#![cfg(target_os = "linux")]

mod compat;
mod kni;

/// What bindgen made of DPDK's headers.
#[allow(
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unnecessary_transmutes,
    unsafe_op_in_unsafe_fn,
    clippy::all,
    reason = "generated code with DPDK's names; which of them apply depends on its version"
)]
mod bound {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

pub use bound::*;
pub use bound::{
    CAPSULE_RSS_IP as ETH_RSS_IP, CAPSULE_RSS_SCTP as ETH_RSS_SCTP, CAPSULE_RSS_TCP as ETH_RSS_TCP,
    CAPSULE_RSS_UDP as ETH_RSS_UDP, CAPSULE_TX_FAST_FREE as DEV_TX_OFFLOAD_MBUF_FAST_FREE,
    shim_eth_rx_burst as _rte_eth_rx_burst, shim_eth_tx_burst as _rte_eth_tx_burst,
    shim_mempool_put_bulk as _rte_mempool_put_bulk, shim_pktmbuf_alloc as _rte_pktmbuf_alloc,
    shim_pktmbuf_alloc_bulk as _rte_pktmbuf_alloc_bulk, shim_pktmbuf_free as _rte_pktmbuf_free,
    shim_rte_errno as _rte_errno,
};
pub use compat::{
    Amend, Survey, amend_configuration, rte_eal_init, rte_eth_dev_configure, survey_devices,
};
pub use kni::*;
