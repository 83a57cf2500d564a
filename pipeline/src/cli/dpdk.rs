//! `resetscope monitor` through DPDK: the configuration's table `[dpdk]` chosen, checked, opened.

use anyhow::{Result, bail};

use crate::config::{AfPacket, Config, Dpdk};

/// Refuses what does not go together with DPDK.
pub(super) fn check(config: &Config, dpdk: &Dpdk) -> Result<()> {
    if let Some(interface) = &config.interface {
        bail!(
            "the configuration chooses DPDK by its table [dpdk], which names the devices: leave \
             the interface {interface} out"
        );
    }
    if config.af_packet.filter.is_some() {
        bail!(
            "a filter is applied by the kernel, which DPDK goes past: leave --filter out, or listen \
             through AF_PACKET"
        );
    }
    if config.af_packet != AfPacket::default() {
        bail!(
            "[af_packet], --snaplen and --busy-poll mean nothing to DPDK: leave them out, or the \
             table [dpdk]"
        );
    }
    if dpdk.devices.is_empty() {
        bail!("which device? Name it in dpdk.devices, such as \"0000:03:00.0\"");
    }
    if let Some(arg) = dpdk.eal_args.iter().find(|arg| arg.contains(char::is_whitespace)) {
        bail!("dpdk.eal_args: {arg:?} has a space in it: give each argument by itself");
    }
    Ok(())
}

#[cfg(feature = "dpdk")]
pub(super) use with::open;

#[cfg(feature = "dpdk")]
mod with {
    use std::sync::Arc;

    use anyhow::{Result, bail};
    use rustix::thread::CapabilitySet;

    use super::super::privilege;
    use crate::config::{Config, Dpdk, Steering};
    use crate::live::Plan;
    use crate::live::dpdk::settings::{Device, Settings};
    use crate::live::dpdk::{Devices, GiveUp};

    /// Opens the devices.
    pub(in crate::cli) fn open(
        config: &Config,
        dpdk: &Dpdk,
        plan: &Plan,
        usable: &[usize],
    ) -> Result<Devices> {
        let settings = Settings::new(dpdk, plan.workers, &plan.cores, usable);
        if settings.cores.len() < plan.workers {
            bail!(
                "{} workers need as many cores, and {} can be used",
                plan.workers,
                settings.cores.len()
            );
        }
        // Where it is certain that one worker receives, the others may share a core, if they must.
        let shared = dpdk.steering == Steering::Software;
        let twice = settings.cores.windows(2).find(|pair| pair[0] == pair[1]);
        if let Some(pair) = twice.filter(|_| !shared) {
            bail!("core {} is listed twice: DPDK needs one for each worker", pair[0]);
        }
        if !usable.contains(&settings.main_core) {
            bail!(
                "dpdk.main_core: core {} is not among those that can be used",
                settings.main_core
            );
        }
        let to_close = to_close(&settings);
        let user = config.user.clone();
        let give_up: GiveUp = Arc::new(move |closes| {
            let dropped = if closes && !to_close.is_empty() {
                privilege::keep_only(to_close)
            } else {
                privilege::drop_all(user.as_deref())
            };
            dropped.map_err(|error| format!("{error:#}"))
        });
        Ok(Devices::open(&settings, give_up)?)
    }

    /// What closing the devices takes: where the kernel goes on using one, things were set on it.
    fn to_close(settings: &Settings) -> CapabilitySet {
        let mut kept = CapabilitySet::empty();
        if settings.devices.iter().any(|device| device.interface().is_some()) {
            kept |= CapabilitySet::NET_ADMIN;
        }
        if settings.devices.iter().any(Device::is_af_xdp) {
            kept |= CapabilitySet::SYS_ADMIN;
        }
        kept
    }
}
