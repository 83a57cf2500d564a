//! What captures do to a conversation: hold packets several times, or in another order.

use crate::conversation::{RST, Tape};

/// The tape as a capture on several interfaces holds it: each packet `times` times within
/// microseconds, and with `hops` one hop farther each time.
pub(crate) fn copies(tape: &Tape, times: u8, hops: bool) -> Tape {
    let mut copied = tape.clone();
    copied.packets.clear();
    for packet in &tape.packets {
        for copy in 0..times {
            let mut packet = packet.clone();
            packet.time_us += u64::from(copy) * 3;
            packet.ttl -= if hops { copy } else { 0 };
            copied.packets.push(packet);
        }
    }
    copied
}

/// The tape with its first RST captured before the `over` packets that preceded it, when all of
/// them lie within a millisecond.
pub(crate) fn overtaken(tape: &Tape, over: usize) -> Option<Tape> {
    let at = tape.packets.iter().position(|packet| packet.flags & RST != 0)?;
    let from = at.checked_sub(over)?;
    let times: Vec<u64> = tape.packets[from..=at].iter().map(|packet| packet.time_us).collect();
    if times[over] - times[0] >= 1_000 {
        return None;
    }
    let mut shuffled = tape.clone();
    shuffled.packets[from..=at].rotate_right(1);
    for (packet, time_us) in shuffled.packets[from..=at].iter_mut().zip(times) {
        packet.time_us = time_us;
    }
    Some(shuffled)
}
