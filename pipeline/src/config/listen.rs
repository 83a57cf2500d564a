//! Where a server listens.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An address to listen on, written as `9184`, `:9184`, `localhost:9184`, `192.0.2.1:9184` or
/// `[::1]:9184`. A port alone means this machine only: whoever wants to be reached from elsewhere has
/// to say so, as `0.0.0.0:9184`. Port 0 is one that is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Listen(SocketAddr);

impl Listen {
    /// It.
    #[must_use]
    pub const fn get(self) -> SocketAddr {
        self.0
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let port = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':'));
        match port.unwrap_or(text).parse::<u16>() {
            Ok(port) => Ok(Self((local, port).into())),
            Err(_) => text.parse().map(Self).map_err(|_| {
                format!("`{text}` is no address; write it as 9184, 192.0.2.1:9184 or [::1]:9184")
            }),
        }
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Listen;

    #[test]
    fn a_port_alone_listens_on_this_machine_only() {
        for (text, want) in [
            ("9184", Some("127.0.0.1:9184")),
            (":9184", Some("127.0.0.1:9184")),
            ("localhost:0", Some("127.0.0.1:0")),
            ("0.0.0.0:80", Some("0.0.0.0:80")),
            ("[::1]:80", Some("[::1]:80")),
            ("[::]:80", Some("[::]:80")),
            ("65536", None),
            ("", None),
            (":", None),
            ("::1", None),
            ("eth0:80", None),
            ("192.0.2.1", None),
        ] {
            let got = text.parse::<Listen>().map(|listen| listen.to_string());
            assert_eq!(got.as_deref().ok(), want, "{text}");
        }
    }
}
