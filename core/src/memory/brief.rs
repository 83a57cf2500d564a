//! An event in brief: what is counted of it, and what it teaches of other flows, in one cache line.

use std::mem::offset_of;

use crate::flow::key::FlowKey;
use crate::flow::prefetch;
use crate::judge::cause::Subcause;
use crate::judge::event::Judged;
use crate::judge::open::OpenEvent;

/// An event in brief. Whole events are four lines, mostly in another core's caches; most of them
/// need not be looked at again.
#[derive(Clone, Copy, Debug)]
pub struct Brief {
    /// The flow.
    pub key: FlowKey,
    /// Time of the first RST, in nanoseconds since 1970-01-01 UTC.
    pub time_ns: u64,
    /// Frame number of the first RST, from 1.
    pub frame: u64,
    /// RST packets of the event.
    pub packets: u32,
    /// What it was found to be without knowledge of other flows.
    pub found: Subcause,
    /// Endpoint of `key` that the first RST names as its sender, 0 or 1.
    pub side: u8,
    /// Endpoint of `key` that is the service, 0 or 1.
    pub service_side: u8,
    bits: u8,
}

const _: () = assert!(size_of::<Brief>() == 64, "an event in brief is one cache line");

/// Knowledge of other flows may change the verdict.
const ASKS: u8 = 1;
/// The host refused a SYN.
const REFUSAL: u8 = 2;
/// The host ended the connection unasked.
const ENDING: u8 = 4;

impl Brief {
    /// What is to be known of an event. It reads three of its four lines.
    #[inline(always)]
    #[must_use]
    pub fn of(judged: &Judged) -> Self {
        let open = &judged.open;
        let bit = |holds: bool, bit: u8| if holds { bit } else { 0 };
        Self {
            key: open.flow.key,
            time_ns: open.rst.time_ns,
            frame: open.rst.frame,
            packets: open.packets(),
            found: judged.subcause(),
            side: (open.rst.side & 1) as u8,
            service_side: open.service_side() as u8,
            bits: bit(open.asks_memory, ASKS)
                | bit(open.refusal, REFUSAL)
                | bit(open.ending, ENDING),
        }
    }

    /// Asks for the lines that [`Self::of`] reads of the event at `judged`. As for every prefetch, any
    /// address will do.
    #[inline(always)]
    pub fn ask_for(judged: *const Judged) {
        let first = judged.cast::<u8>();
        prefetch::line(first);
        prefetch::line(first.wrapping_add(offset_of!(OpenEvent, rst)));
        prefetch::line(first.wrapping_add(offset_of!(OpenEvent, found)));
    }

    /// Whether knowledge of other flows may change the verdict.
    #[inline]
    #[must_use]
    pub const fn asks_memory(&self) -> bool {
        self.bits & ASKS != 0
    }

    /// The host refused a SYN.
    #[inline]
    pub(super) const fn is_refusal(&self) -> bool {
        self.bits & REFUSAL != 0
    }

    /// The host ended the connection, and no packet had just asked for that.
    #[inline]
    pub(super) const fn is_ending(&self) -> bool {
        self.bits & ENDING != 0
    }
}
