//! Finds for each RST of the truth the event that holds it.

use std::collections::BTreeMap;

use resetscope_core::limits::RACE_WINDOW_NS;

use super::tap::Tap;
use super::truth::Reset;

/// Truth lines (by index) and events (by index) of one tap.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// RSTs that begin an event: these are scored.
    pub first: Vec<(usize, usize)>,
    /// Further RSTs of an event.
    pub held: Vec<(usize, usize)>,
    /// RSTs of the truth that no event holds.
    pub uncovered: Vec<usize>,
    /// Events whose first RST the truth does not know.
    pub unknown: Vec<usize>,
}

impl Joined {
    /// Joins the RSTs that `tap_name` saw with the events of that tap.
    #[must_use]
    pub fn new(resets: &[Reset], tap_name: &str, tap: &Tap) -> Self {
        let seen_here =
            |(line, reset): (usize, &Reset)| reset.frames.get(tap_name).map(|frame| (*frame, line));
        let mut waiting: BTreeMap<u64, usize> =
            resets.iter().enumerate().filter_map(seen_here).collect();
        let mut joined = Self::default();
        for (index, event) in tap.events.iter().enumerate() {
            let line = waiting.get(&event.frame).copied();
            match line.filter(|&line| resets.get(line).is_some_and(|it| it.key == event.key)) {
                Some(line) => {
                    joined.first.push((line, index));
                    waiting.remove(&event.frame);
                }
                None => joined.unknown.push(index),
            }
        }
        // An event has room for as many further RSTs as it counted.
        let mut room: Vec<u32> =
            tap.events.iter().map(|event| event.packets.saturating_sub(1)).collect();
        for (frame, line) in waiting {
            match resets.get(line).and_then(|reset| holder(tap, frame, reset, &mut room)) {
                Some(index) => joined.held.push((line, index)),
                None => joined.uncovered.push(line),
            }
        }
        joined
    }
}

/// The latest earlier event of the RST's flow that was open at its time and has room; takes the
/// room.
fn holder(tap: &Tap, frame: u64, reset: &Reset, room: &mut [u32]) -> Option<usize> {
    let rst = tap.rsts.get(&frame).filter(|rst| rst.key == reset.key)?;
    let mut candidates = tap.events.iter().zip(room).enumerate().rev();
    let (index, left) = candidates.find_map(|(index, (event, left))| {
        let age_ns = rst.time_ns.saturating_sub(event.time_ns);
        let open = event.frame < frame && age_ns <= RACE_WINDOW_NS;
        (event.key == rst.key && open && *left > 0).then_some((index, left))
    })?;
    *left -= 1;
    Some(index)
}
