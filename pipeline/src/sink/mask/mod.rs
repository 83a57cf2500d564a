//! Addresses masked before any sink sees them.
//!
//! [`Masked`] stands between the collector and all sinks, so that what is written, printed, counted
//! and served names masked addresses only, and so does what is derived from them: Community IDs and
//! Wireshark filters fit the masked addresses, not the capture. Texts that the wire carried in a RST
//! are replaced, for they may name hosts. Ports, times, counts and overlay networks stay.

mod crypto_pan;
mod key;

use std::fmt;
use std::io;
use std::net::IpAddr;

use resetscope_core::flow::key::{FlowKey, mapped};
use resetscope_core::judge::event::Event;

use crate::collect::{Sink, Summary};
use crypto_pan::CryptoPan;

pub use key::KeyError;

/// What stands in for a text from the wire.
const TEXT: &[u8] = b"(masked)";

/// Masks addresses with a key.
pub struct Mask(CryptoPan);

impl fmt::Debug for Mask {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mask").finish_non_exhaustive()
    }
}

impl Mask {
    /// With the key that `given` is, or that the file of this name holds: 64 hexadecimal digits, or in
    /// a file 32 bytes.
    ///
    /// # Errors
    /// When it is neither.
    pub fn new(given: &str) -> Result<Self, KeyError> {
        Ok(Self(CryptoPan::new(&key::find(given)?)))
    }

    /// The event with masked addresses, and without text from the wire. Its ends keep their sides, so
    /// that the key may not be in canonical order.
    #[must_use]
    pub fn event(&self, event: &Event) -> Event {
        let mut masked = *event;
        masked.key = self.sides(&event.key);
        if event.text_len > 0 {
            masked.text.fill(0);
            masked.text_len = 0;
            for (byte, masks) in masked.text.iter_mut().zip(TEXT) {
                *byte = *masks;
                masked.text_len += 1;
            }
        }
        masked
    }

    /// The canonical key of what `key` is printed as.
    #[must_use]
    pub fn key(&self, key: &FlowKey) -> FlowKey {
        let FlowKey { addr: [a, b], port: [from, to], domain, .. } = self.sides(key);
        FlowKey::new((a, from), (b, to), domain).0
    }

    /// The key with masked addresses, each on its side.
    fn sides(&self, key: &FlowKey) -> FlowKey {
        let address = |side| match self.0.mask(key.ip(side)) {
            IpAddr::V4(v4) => mapped(v4.octets()),
            IpAddr::V6(v6) => v6.octets(),
        };
        FlowKey { addr: [address(0), address(1)], ..*key }
    }

    /// The summary with masked addresses.
    #[must_use]
    pub fn summary(&self, summary: &Summary) -> Summary {
        Summary {
            span: summary.span,
            interval: summary.interval.clone(),
            top: summary.top.renamed(|address| self.0.mask(address)),
        }
    }
}

/// Gives a sink masked addresses only.
pub struct Masked<S> {
    mask: Mask,
    sink: S,
}

impl<S: Sink> Sink for Masked<S> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.sink.event(&self.mask.event(event))
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.sink.summary(&self.mask.summary(summary))
    }

    fn wants_events(&self) -> bool {
        self.sink.wants_events()
    }
}

/// The sink behind the mask, if there is one.
pub fn behind<'a>(mask: Option<Mask>, sink: impl Sink + 'a) -> Box<dyn Sink + 'a> {
    match mask {
        Some(mask) => Box::new(Masked { mask, sink }),
        None => Box::new(sink),
    }
}
