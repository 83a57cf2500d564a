//! How to look at the same packets in Wireshark and tshark.

use std::path::{Path, PathBuf};

use resetscope_core::flow::key::FlowKey;

/// The display filter of a flow, both directions.
pub(crate) fn flow_filter(key: &FlowKey) -> String {
    let (a, b) = (key.ip(0), key.ip(1));
    let family = if a.is_ipv4() && b.is_ipv4() { "ip" } else { "ipv6" };
    format!(
        "{family}.addr == {a} && {family}.addr == {b} && tcp.port == {} && tcp.port == {}",
        key.port(0),
        key.port(1)
    )
}

/// The display filter of one frame.
pub(super) fn frame_filter(frame: u64) -> String {
    format!("frame.number == {frame}")
}

/// Shell commands that show the flow; several inputs are merged first, in the order of time, so that
/// frames keep their numbers. A long line is broken as the shell allows.
pub(super) fn commands(files: &[PathBuf], key: &FlowKey) -> Vec<String> {
    let filter = flow_filter(key);
    match files {
        [only] => vec![format!("tshark -r {} -Y \\\n'{filter}'", quoted(only))],
        several => {
            let names: Vec<String> = several.iter().map(|path| quoted(path)).collect();
            vec![
                format!("mergecap -w merged.pcapng {}", names.join(" ")),
                format!("tshark -r merged.pcapng -Y \\\n'{filter}'"),
            ]
        }
    }
}

/// A path as a POSIX shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./-+,:=@%".contains(c);
    // What begins with a dash would be taken for an option.
    let dashed = text.starts_with('-');
    let text = if dashed { format!("./{text}") } else { text.into_owned() };
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::{commands, flow_filter, quoted};
    use resetscope_core::flow::key::{FlowKey, mapped};
    use std::path::Path;

    #[test]
    fn filters_name_the_family_and_both_ends() {
        let (v4, _) = FlowKey::new((mapped([10, 0, 0, 2]), 80), (mapped([10, 0, 0, 1]), 9), 0);
        assert_eq!(
            flow_filter(&v4),
            "ip.addr == 10.0.0.1 && ip.addr == 10.0.0.2 && tcp.port == 9 && tcp.port == 80"
        );
        let (v6, _) = FlowKey::new((1u128.to_be_bytes(), 80), (2u128.to_be_bytes(), 9), 0);
        assert_eq!(
            flow_filter(&v6),
            "ipv6.addr == ::1 && ipv6.addr == ::2 && tcp.port == 80 && tcp.port == 9"
        );
        let several = commands(&["a.pcap".into(), "b.pcap".into()], &v6);
        assert!(several[0].starts_with("mergecap ") && several[0].ends_with("a.pcap b.pcap"));
    }

    #[test]
    fn paths_survive_a_shell() {
        for (path, want) in [
            ("a/b-1.pcap.gz", "a/b-1.pcap.gz"),
            ("it's here.pcap", "'it'\\''s here.pcap'"),
            ("-x.pcap", "./-x.pcap"),
            ("$HOME.pcap", "'$HOME.pcap'"),
        ] {
            assert_eq!(quoted(Path::new(path)), want, "{path}");
        }
    }
}
