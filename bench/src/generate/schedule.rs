//! What happens next: packets that are on their way to the tap, and flows that wait.
//!
//! Memory is what is scheduled at one time, and that is bounded by the flows that live.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::packet::Packet;

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Happening {
    /// A packet of flow number `.0` passes the tap.
    Passes(u32, Packet),
    /// Flow number `.0` goes on.
    Wakes(u32),
}

/// Bits of a key below the time: the order of what is due at one time, and where it is kept.
const ORDER_BITS: u32 = 36;
const PLACE_BITS: u32 = 32;

/// Marks the place of a flow rather than that of a packet.
const FLOW: u32 = 1 << 31;

/// The agenda.
#[derive(Default)]
pub(super) struct Schedule {
    /// Nanoseconds (60 bits), order (36 bits) and place (32 bits) in one number: what is due at the
    /// same time comes in the order in which it was scheduled, on any machine.
    due: BinaryHeap<Reverse<u128>>,
    order: u64,
    packets: Vec<(u32, Packet)>,
    free: Vec<u32>,
    now: u64,
}

impl Schedule {
    /// The time, in nanoseconds: nothing happens before it any more.
    pub(super) const fn now(&self) -> u64 {
        self.now
    }

    /// A packet of `flow` passes the tap at `time`.
    pub(super) fn pass(&mut self, time: u64, flow: u32, packet: Packet) {
        let place = match self.free.pop() {
            Some(place) => {
                if let Some(slot) = self.packets.get_mut(place as usize) {
                    *slot = (flow, packet);
                }
                place
            }
            None => {
                self.packets.push((flow, packet));
                self.packets.len() as u32 - 1
            }
        };
        self.put(time, place);
    }

    /// `flow` goes on at `time`.
    pub(super) fn wake(&mut self, time: u64, flow: u32) {
        self.put(time, flow | FLOW);
    }

    fn put(&mut self, time: u64, place: u32) {
        self.order += 1;
        let time = u128::from(time.max(self.now)) << (ORDER_BITS + PLACE_BITS);
        let order = u128::from(self.order & ((1 << ORDER_BITS) - 1)) << PLACE_BITS;
        self.due.push(Reverse(time | order | u128::from(place)));
    }

    /// What happens next, and when.
    pub(super) fn next(&mut self) -> Option<(u64, Happening)> {
        let Reverse(key) = self.due.pop()?;
        self.now = (key >> (ORDER_BITS + PLACE_BITS)) as u64;
        let place = key as u32;
        if place & FLOW != 0 {
            return Some((self.now, Happening::Wakes(place & !FLOW)));
        }
        let (flow, packet) = *self.packets.get(place as usize)?;
        self.free.push(place);
        Some((self.now, Happening::Passes(flow, packet)))
    }
}
