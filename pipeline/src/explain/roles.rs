//! Who is the client and who is the server.

use std::fmt;

use resetscope_core::flow::key::FlowKey;
use resetscope_core::judge::event::Event;

/// The roles of a flow's two endpoints.
#[derive(Clone, Copy, Debug)]
pub struct Roles {
    key: FlowKey,
    client: usize,
    /// Somebody was seen to open the connection; otherwise the lower port is taken for the server.
    pub known: bool,
}

impl Roles {
    /// The roles of an event's flow.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        let client = (event.service_side() ^ 1) & 1;
        Self { key: event.key, client, known: event.initiator.is_some() }
    }

    /// The role of endpoint `side` of the key.
    #[must_use]
    pub const fn name(&self, side: usize) -> &'static str {
        if side & 1 == self.client { "client" } else { "server" }
    }

    /// The direction of a packet that endpoint `side` sent.
    #[must_use]
    pub const fn arrow(&self, side: usize) -> &'static str {
        if side & 1 == self.client { "C→S" } else { "S→C" }
    }

    /// Endpoint `side` as `address:port`.
    #[must_use]
    pub const fn end(&self, side: usize) -> End<'_> {
        End { key: &self.key, side }
    }
}

/// Displays one endpoint, IPv6 in brackets.
pub struct End<'a> {
    /// The flow.
    pub key: &'a FlowKey,
    /// Which of its ends.
    pub side: usize,
}

impl fmt::Display for End<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::net::SocketAddr::new(self.key.ip(self.side), self.key.port(self.side)).fmt(f)
    }
}
