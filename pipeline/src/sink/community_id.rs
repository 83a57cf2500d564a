//! Community ID, version 1, seed 0: one name for a flow in all tools
//! (<https://github.com/corelight/community-id-spec>).

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use resetscope_core::flow::key::FlowKey;
use sha1::{Digest, Sha1};

/// IANA protocol number of TCP.
const TCP: u8 = 6;

/// The Community ID of a TCP flow.
#[must_use]
pub fn community_id(key: &FlowKey) -> String {
    // The specification orders endpoints by address bytes, then by port. Mapped IPv4 addresses share
    // their prefix, so that they compare as the plain ones would. A key is ordered like that, unless
    // its addresses were masked.
    let end = |side: usize| (key.addr[side], key.port[side]);
    let sides = if end(1) < end(0) { [1, 0] } else { [0, 1] };
    let mut hasher = Sha1::new();
    hasher.update(0u16.to_be_bytes());
    for side in sides {
        match key.ip(side) {
            IpAddr::V4(v4) => hasher.update(v4.octets()),
            IpAddr::V6(v6) => hasher.update(v6.octets()),
        }
    }
    hasher.update([TCP, 0]);
    for side in sides {
        hasher.update(key.port(side).to_be_bytes());
    }
    format!("1:{}", STANDARD.encode(hasher.finalize()))
}

#[cfg(test)]
mod tests {
    use super::community_id;
    use resetscope_core::flow::key::{FlowKey, mapped};

    #[test]
    fn matches_the_specification_in_both_directions() {
        let client = (mapped([128, 232, 110, 120]), 34855);
        let server = (mapped([66, 35, 250, 204]), 80);
        for (from, to) in [(client, server), (server, client)] {
            let (key, _) = FlowKey::new(from, to, 0);
            assert_eq!(community_id(&key), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        }
    }
}
