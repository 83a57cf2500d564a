//! What the machine allows: the least that any flow tracker has to do, done as well as we know how.
//!
//! All probes take the same frames as the engine, in batches of 128, and their records lie on huge
//! pages if the system has any. Two floors: [`floor`] dissects with the engine's own dissector, so
//! that the engine's ratio to it is the cost of table, tracking and judge; [`bare_floor`] reads
//! nothing but the 5-tuple of a plain IPv4 frame, which no program that has to work could do.

use std::io;

use memmap2::{Advice, MmapMut};
use resetscope_core::flow::hash::hash;
use resetscope_core::flow::key::FlowKey;
use resetscope_core::flow::prefetch::{self, LINE};
use resetscope_core::frame::Frame;
use resetscope_core::segment::{RstTexts, Segment};
use resetscope_core::wire;

/// Packets whose memory is asked for together.
pub const BATCH: usize = 128;

/// Bytes of a record.
const RECORD: usize = 128;

/// Records to be changed at random.
pub struct Records(MmapMut);

impl Records {
    /// `count` records, at least one, all of them in memory.
    ///
    /// # Errors
    /// When the system refuses the memory.
    pub fn new(count: usize) -> io::Result<Self> {
        let mut map = MmapMut::map_anon(count.max(1) * RECORD)?;
        // Without huge pages the floor is higher; the system may decline.
        let _ = map.advise(Advice::HugePage);
        map.fill(1);
        Ok(Self(map))
    }

    fn all(&mut self) -> &mut [[u8; RECORD]] {
        self.0.as_chunks_mut().0
    }
}

/// The record of a hash among `len`.
#[inline(always)]
const fn place(hash: u64, len: usize) -> usize {
    ((((hash >> 26) & 0xffff_ffff) * len as u64) >> 32) as usize
}

#[inline(always)]
fn ask(records: &[[u8; RECORD]], at: usize) {
    let record = records.as_ptr().wrapping_add(at).cast::<u8>();
    prefetch::line(record);
    prefetch::line(record.wrapping_add(LINE));
}

/// Changes both lines of a record.
#[inline(always)]
fn change(record: &mut [u8; RECORD]) {
    let (words, _) = record.as_chunks_mut::<8>();
    let [first, .., last] = words else { return };
    let count = u64::from_ne_bytes(*first).wrapping_add(1);
    *first = count.to_ne_bytes();
    *last = u64::from_ne_bytes(*last).wrapping_add(count).to_ne_bytes();
}

/// Touches every frame, and nothing else.
pub fn walk<'a>(frames: impl Iterator<Item = Frame<'a>>) -> u64 {
    frames.map(|frame| u64::from(frame.bytes.first().copied().unwrap_or(0))).sum()
}

/// Reads the 5-tuple of a plain IPv4 frame with TCP, and hashes it.
#[inline(always)]
fn tuple(frame: &Frame<'_>) -> Option<u64> {
    let bytes = frame.bytes.first_chunk::<54>()?;
    if bytes[12..15] != [8, 0, 0x45] || bytes[23] != 6 {
        return None;
    }
    let from = [bytes[26], bytes[27], bytes[28], bytes[29]];
    let to = [bytes[30], bytes[31], bytes[32], bytes[33]];
    let port = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    Some(hash(&FlowKey::new_v4((from, port(34)), (to, port(36)), 0).0))
}

/// Walks, reads 5-tuples and hashes them.
pub fn bare_dissect<'a>(frames: impl Iterator<Item = Frame<'a>>) -> u64 {
    frames.filter_map(|frame| tuple(&frame)).fold(0, |sum, hash| sum ^ hash)
}

/// [`bare_dissect`], and one read-modify-write of a random record a packet.
pub fn bare_floor<'a>(mut frames: impl Iterator<Item = Frame<'a>>, records: &mut Records) {
    let records = records.all();
    let mut places = [0; BATCH];
    loop {
        let mut used = 0;
        for (place_of, frame) in places.iter_mut().zip(&mut frames) {
            if let Some(hash) = tuple(&frame) {
                *place_of = place(hash, records.len());
                ask(records, *place_of);
            }
            used += 1;
        }
        change_all(records, &places, used);
        if used < BATCH {
            return;
        }
    }
}

/// Dissects and hashes as the engine does.
pub fn dissect<'a>(mut frames: impl Iterator<Item = Frame<'a>>) -> u64 {
    let mut texts = RstTexts::new(BATCH);
    let mut segments = [Segment::default(); BATCH];
    let mut sum = 0;
    loop {
        let mut used = 0;
        for (segment, frame) in segments.iter_mut().zip(&mut frames) {
            let _ = wire::dissect(&frame, segment, &mut texts);
            used += 1;
        }
        texts.clear();
        sum ^= segments.iter().take(used).fold(0, |sum, segment| sum ^ segment.hash);
        if used < BATCH {
            return sum;
        }
    }
}

/// [`dissect`], and one read-modify-write of a random record a packet.
pub fn floor<'a>(mut frames: impl Iterator<Item = Frame<'a>>, records: &mut Records) {
    let records = records.all();
    let mut texts = RstTexts::new(BATCH);
    let mut segments = [Segment::default(); BATCH];
    let mut places = [0; BATCH];
    loop {
        let mut used = 0;
        for ((segment, place_of), frame) in segments.iter_mut().zip(&mut places).zip(&mut frames) {
            if wire::dissect(&frame, segment, &mut texts).is_ok() {
                *place_of = place(segment.hash, records.len());
                ask(records, *place_of);
            }
            used += 1;
        }
        texts.clear();
        change_all(records, &places, used);
        if used < BATCH {
            return;
        }
    }
}

fn change_all(records: &mut [[u8; RECORD]], places: &[usize; BATCH], used: usize) {
    for place in places.iter().take(used) {
        if let Some(record) = records.get_mut(*place) {
            change(record);
        }
    }
}
