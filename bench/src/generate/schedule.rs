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

/// A key is nanoseconds (60 bits), order (36 bits) and place (32 bits) in one number: what is due at
/// the same time comes in the order in which it was scheduled, on any machine.
const ORDER_BITS: u32 = 36;
const PLACE_BITS: u32 = 32;
const TIME_SHIFT: u32 = ORDER_BITS + PLACE_BITS;

/// Marks the place of a flow rather than that of a packet.
const FLOW: u32 = 1 << 31;

/// Slots of the near future, and their width as a power of two: 1024 of 1 ms.
const SLOTS: u64 = 1 << 10;
const SLOT_SHIFT: u32 = TIME_SHIFT + 20;

/// The agenda: a ring of slots for the near future, each put in order when its time has come, and a
/// heap for what is later. A single heap took a third of all time at 100 000 flows.
pub(super) struct Schedule {
    /// What remains of the present slot, the next last.
    present: Vec<u128>,
    /// What came to the present slot after it was put in order.
    late: BinaryHeap<Reverse<u128>>,
    /// The number of the present slot.
    slot: u64,
    ring: Vec<Vec<u128>>,
    in_ring: usize,
    far: BinaryHeap<Reverse<u128>>,
    order: u64,
    packets: Vec<(u32, Packet)>,
    free: Vec<u32>,
    now: u64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            present: Vec::new(),
            late: BinaryHeap::new(),
            slot: 0,
            ring: (0..SLOTS).map(|_| Vec::new()).collect(),
            in_ring: 0,
            far: BinaryHeap::new(),
            order: 0,
            packets: Vec::new(),
            free: Vec::new(),
            now: 0,
        }
    }
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
        let time = u128::from(time.max(self.now)) << TIME_SHIFT;
        let order = u128::from(self.order & ((1 << ORDER_BITS) - 1)) << PLACE_BITS;
        self.file(time | order | u128::from(place));
    }

    fn file(&mut self, key: u128) {
        let slot = slot_of(key);
        if slot <= self.slot {
            self.late.push(Reverse(key));
        } else if slot < self.slot + SLOTS {
            if let Some(room) = self.ring.get_mut((slot % SLOTS) as usize) {
                room.push(key);
                self.in_ring += 1;
            }
        } else {
            self.far.push(Reverse(key));
        }
    }

    /// What happens next, and when.
    pub(super) fn next(&mut self) -> Option<(u64, Happening)> {
        while self.present.is_empty() && self.late.is_empty() {
            self.turn()?;
        }
        let late = self.late.peek().map(|Reverse(key)| *key);
        let key = match (self.present.last().copied(), late) {
            (Some(next), Some(late)) if late < next => self.late.pop()?.0,
            (Some(_), _) => self.present.pop()?,
            (None, _) => self.late.pop()?.0,
        };
        self.now = (key >> TIME_SHIFT) as u64;
        let place = key as u32;
        if place & FLOW != 0 {
            return Some((self.now, Happening::Wakes(place & !FLOW)));
        }
        let (flow, packet) = *self.packets.get(place as usize)?;
        self.free.push(place);
        Some((self.now, Happening::Passes(flow, packet)))
    }

    /// Turns the ring to the next slot; `None` when nothing is left to happen.
    fn turn(&mut self) -> Option<()> {
        let first_far = self.far.peek().map(|Reverse(key)| slot_of(*key));
        self.slot = if self.in_ring > 0 { self.slot + 1 } else { first_far? };
        while let Some(Reverse(key)) = self.far.peek().copied() {
            if slot_of(key) >= self.slot + SLOTS {
                break;
            }
            self.far.pop();
            self.file(key);
        }
        let room = self.ring.get_mut((self.slot % SLOTS) as usize)?;
        self.in_ring -= room.len();
        std::mem::swap(&mut self.present, room);
        self.present.sort_unstable_by(|a, b| b.cmp(a));
        Some(())
    }
}

fn slot_of(key: u128) -> u64 {
    (key >> SLOT_SHIFT) as u64
}

#[cfg(test)]
mod tests {
    use super::{Happening, Schedule};
    use crate::generate::dice::Dice;

    #[test]
    fn what_is_scheduled_happens_in_the_order_of_time_and_then_of_scheduling() {
        let mut dice = Dice::new(5);
        let mut schedule = Schedule::default();
        // Of all distances: the same time, the same slot, the ring, far beyond it.
        let far = [0, 1_000, 1 << 20, 900 << 20, 1 << 33, 1 << 40];
        let mut flow = 0;
        let mut wake = |schedule: &mut Schedule, dice: &mut Dice| {
            let distance = dice.choose(&far, 0);
            let time = schedule.now() + dice.below(distance + 1);
            schedule.wake(time, flow);
            flow += 1;
        };
        for _ in 0..500 {
            wake(&mut schedule, &mut dice);
        }
        let mut seen = Vec::new();
        while let Some((time, Happening::Wakes(flow))) = schedule.next() {
            assert_eq!(time, schedule.now());
            seen.push((time, flow));
            if seen.len() < 4_000 {
                wake(&mut schedule, &mut dice);
            }
        }
        assert_eq!(seen.len(), 4_499);
        assert!(seen.is_sorted_by_key(|(time, _)| *time));
        let ties = seen.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        assert!(ties.clone().count() > 0 && ties.clone().all(|pair| pair[0].1 < pair[1].1));
    }
}
