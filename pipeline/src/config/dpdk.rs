//! The part of the configuration that only DPDK has. It can be read, checked and printed by every
//! build; using it takes one with the feature `dpdk`.

use serde::{Deserialize, Serialize};

use super::value::Within;

/// Who deals out connections to several workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Steering {
    /// The devices where they can, by symmetric receive side scaling; otherwise software.
    Auto,
    /// The devices; those that cannot are refused.
    Hardware,
    /// The worker that receives, from one queue of each device.
    Software,
}

/// Everything about DPDK that can be configured. Its presence chooses DPDK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dpdk {
    /// The devices, as DPDK names them: PCI addresses, or virtual devices with their arguments.
    pub devices: Vec<String>,
    /// The core of the thread that opens and closes the devices.
    pub main_core: Option<Within<0, 1023>>,
    /// Who brings both directions of a connection to one worker, where there are several.
    pub steering: Steering,
    /// Packet buffers on each NUMA node.
    pub buffers: Within<1023, 16_777_215>,
    /// Buffers that each core keeps for itself.
    pub buffer_cache: Within<0, 512>,
    /// Slots of each receive queue.
    pub rx_descriptors: Within<32, 32_768>,
    /// Bursts of 32 frames that are analysed together.
    pub bursts: Within<1, 32>,
    /// Largest packet in bytes, without the Ethernet header; the device's own if not given.
    pub mtu: Option<Within<68, 16_000>>,
    /// Whether to ask for frames that are addressed to others.
    pub promiscuous: bool,
    /// Whether to use the device's time stamps where it has any.
    pub device_time: bool,
    /// Whether DPDK's memory lies on huge pages.
    pub huge_pages: bool,
    /// DPDK's memory, in MiB.
    pub memory_mib: Within<64, 1_048_576>,
    /// Seconds to wait for a link at the start.
    pub link_wait_s: Within<0, 600>,
    /// More arguments for DPDK.
    pub eal_args: Vec<String>,
}

impl Default for Dpdk {
    fn default() -> Self {
        Self {
            devices: Vec::new(),
            main_core: None,
            steering: Steering::Auto,
            buffers: Within::constant::<32_767>(),
            buffer_cache: Within::constant::<256>(),
            rx_descriptors: Within::constant::<1024>(),
            bursts: Within::constant::<4>(),
            mtu: None,
            promiscuous: true,
            device_time: true,
            huge_pages: true,
            memory_mib: Within::constant::<256>(),
            link_wait_s: Within::constant::<10>(),
            eal_args: Vec::new(),
        }
    }
}
