//! What makes a segment a usual one, in the form in which a [`super::direction::Direction`] can say
//! with one comparison that it has seen the like.
//!
//! What can be said of a segment alone is worked out where it is dissected, with all its fields at
//! hand; what can be said of a flow alone when something unusual happens to it. What is left for each
//! packet is to hold one against the other.

use super::direction::{DF_CLEAR, DF_SET, HABITS, RUNS, seen};
use crate::segment::{Payload, Segment, TcpFlags, closes_tls, option, quirk};

/// The control bits that matter, of which a usual segment has only ACK.
const CONTROL: u8 = TcpFlags::FIN | TcpFlags::SYN | TcpFlags::RST | TcpFlags::ACK;

/// What differs between an acknowledgement and data.
const ACK_OR_DATA: u32 = (seen::ACK ^ (seen::DATA | seen::MORE_DATA)) as u32;

/// What a direction must have shown before for a segment to be nothing new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Usual(u32);

impl Usual {
    /// No direction has ever shown this: in a flow under way no count runs.
    const NEVER: u32 = RUNS | seen::UNDER_WAY as u32;

    /// What `segment` asks for. All its other fields must be there.
    ///
    /// Neither a handshake nor an end, nor what closes the window or says goodbye is usual.
    #[inline(always)]
    #[must_use]
    pub fn of(segment: &Segment) -> Self {
        // All ones for data. Written as a condition, it would become a jump that is random.
        let data = (0u32.wrapping_sub(segment.payload_len).cast_signed() >> 31).cast_unsigned();
        let seen = u32::from(seen::UNDER_WAY | seen::ACK) ^ (data & ACK_OR_DATA);
        let timestamps = u32::from(segment.options & option::TIMESTAMPS)
            * const { seen::TIMESTAMPS as u32 / option::TIMESTAMPS as u32 };
        const { assert!(DF_SET == DF_CLEAR + DF_CLEAR * quirk::DF, "no condition is needed") };
        let df = (u32::from(DF_CLEAR) << HABITS)
            + u32::from(segment.quirks & quirk::DF) * (const { (DF_CLEAR as u32) << HABITS });
        let goodbye = segment.payload > Payload::Other && closes_tls(segment);
        let odd = (segment.flags.0 & CONTROL != TcpFlags::ACK)
            | (segment.window == 0)
            | (segment.payload_len > i32::MAX.cast_unsigned())
            | goodbye;
        Self(seen | timestamps | df | (u32::from(odd) * Self::NEVER))
    }

    /// What of this is missing in a direction's standing; 0 for nothing.
    #[inline(always)]
    pub(super) const fn missing_in(self, standing: u32) -> u32 {
        self.0 & !standing
    }
}

impl Default for Usual {
    fn default() -> Self {
        Self(Self::NEVER)
    }
}
