//! From what capsule and DPDK say when they fail to a sentence that helps.

use super::error::DeviceError;
use super::settings::Settings;

/// The sentence for what capsule's error and DPDK's lines say.
pub(super) fn diagnose(settings: &Settings, error: &str, said: &str) -> DeviceError {
    let devices = settings.names();
    if let Some(node) = error.strip_prefix("Mempool for socket").and_then(|of| of.split(' ').next())
    {
        return DeviceError::Node { node: node.to_owned() };
    }
    let reason = reason(said).unwrap_or(error).to_owned();
    let has = |text: &str| said.contains(text) || error.contains(text);
    if settings.takes_root() && !rustix::process::geteuid().is_root() {
        return DeviceError::Permission { devices, said: reason };
    }
    if has("Device or resource busy") || has("Failed to create xsk socket") {
        return DeviceError::Busy { devices, said: reason };
    }
    if has("Cannot allocate memory") {
        return DeviceError::Buffers;
    }
    DeviceError::Refused { devices, said: reason }
}

/// The first thing that DPDK said, which is nearest to the reason, without the place in its code.
fn reason(said: &str) -> Option<&str> {
    let lines = said.lines().map(str::trim);
    let line = lines.into_iter().find(|line| !line.is_empty() && !line.starts_with("lib"))?;
    let (place, rest) = line.split_once(": ").unwrap_or(("", line));
    Some(if place.contains(' ') { line } else { rest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Dpdk;

    #[test]
    fn the_first_line_tells_the_reason() {
        for (said, want) in [
            ("", None),
            ("open_packet_iface(): no socket\nEAL: Bus (vdev) probe failed.\n", Some("no socket")),
            ("libbpf: elf: skipping\nEAL: Option -x: wrong\n", Some("Option -x: wrong")),
            ("resetscope: unrecognized option '-x'\n\nUsage:", Some("unrecognized option '-x'")),
            ("no place in front: true\n", Some("no place in front: true")),
        ] {
            assert_eq!(reason(said), want, "{said}");
        }
    }

    #[test]
    fn what_went_wrong_is_one_sentence_with_the_remedy() {
        let config = Dpdk { devices: vec!["net_pcap0,rx_pcap=a".to_owned()], ..Dpdk::default() };
        let settings = Settings::new(&config, 2, &[], &[0, 1, 2]);
        for (error, said, want) in [
            ("Mempool for socket1 not found.", "", "no core of NUMA node 1"),
            ("Cannot allocate memory", "", "raise dpdk.memory_mib"),
            ("Invalid argument", "VFIO: Device or resource busy", "in use by another program"),
            ("Invalid argument", "EAL: odd", "DPDK cannot open net_pcap0: odd"),
            ("Invalid argument", "", "DPDK cannot open net_pcap0: Invalid argument"),
        ] {
            let got = diagnose(&settings, error, said).to_string();
            assert!(got.contains(want) && !got.contains('\n'), "{got}");
        }
    }
}
