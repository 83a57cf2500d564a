//! Dissection as its callers see it: bytes in, a segment or the one reason why not out.
//!
//! Packets are built, and answers checked, with `etherparse`, which shares no code with us.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod fields;
mod hostile;
mod links;
mod packet;
mod tcp;
mod tunnels;

use resetscope_core::frame::{Frame, LinkType};
use resetscope_core::segment::{RstTexts, Segment};
use resetscope_core::skip::Skip;
use resetscope_core::wire::dissect;

/// Dissects `bytes` as a frame captured whole.
fn whole(link: LinkType, bytes: &[u8]) -> Result<Segment, Skip> {
    cut(link, bytes, bytes.len())
}

/// Dissects the first `captured` bytes of the frame `bytes`.
fn cut(link: LinkType, bytes: &[u8], captured: usize) -> Result<Segment, Skip> {
    let wire_len = u32::try_from(bytes.len()).unwrap();
    let frame = Frame { bytes: &bytes[..captured], wire_len, time_ns: 42, link };
    let mut segment = Segment::default();
    dissect(&frame, &mut segment, &mut RstTexts::new(1))?;
    Ok(segment)
}

/// All fields of a segment as text, for comparison.
fn shown(segment: &Segment) -> String {
    format!("{segment:?}")
}
