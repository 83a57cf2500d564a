//! Software steering: one worker takes all frames and hands every other the segments of its shards.
//!
//! Where neither the kernel nor a device deals out connections, worker 0 is the [`Dealer`]: it
//! dissects each frame, which it takes to know the flow, keeps what belongs to its own shards, and
//! puts the rest into a parcel for the owner. What crosses is the dissected [`Segment`] and not the
//! frame: its owner needs nothing else, the frame's lines never leave the cache that they are in, its
//! buffer goes back at once where it came from, and nobody dissects twice. A full parcel, or one whose
//! receiver has nothing to do, goes over a bounded queue with one sender and one receiver; the
//! emptied one comes back over another. So there is one atomic exchange for a parcel and none for a
//! packet, no lock, and no memory but what is there from the start.
//!
//! **Order.** One dealer and queues that keep the order: each shard sees its packets in the order in
//! which they were received, as if there was one worker.
//!
//! **Time** travels with the parcels, also empty ones: a worker's clock stands where all frames before
//! it have been handed over.
//!
//! **Too slow a receiver** has all parcels, and what would go to it next is dropped and counted, so
//! that the other workers' connections do not suffer; or, where frames wait for their reader, the
//! dealer waits: see [`Full`].

use std::convert::Infallible;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, TryRecvError, bounded};
use crossbeam::utils::Backoff;
use resetscope_core::engine::{Engine, dissect_to};
use resetscope_core::frame::Frame;
use resetscope_core::interval::{Ledger, Shed};
use resetscope_core::limits::{BURST, SHARDS};
use resetscope_core::owners::Owners;
use resetscope_core::segment::{RstTexts, Segment};
use resetscope_core::wire::Sink;

use super::clock::Clock;
use super::worker::{End, Intake, Taken};
use crate::worker::load::Load;

/// Segments of a parcel: some of the bursts that an engine takes through its tables at once.
const PARCEL: usize = 4 * BURST;

/// Parcels for each receiver, at least: 8192 segments, or 0.8 MB.
const PARCELS: usize = 8192 / PARCEL;

/// The longest time, in nanoseconds of the frames' times, for which a receiver is not told how late
/// it is.
const TELL_NS: u64 = 20_000_000;

/// What happens to frames of a worker that has all parcels already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// They are dropped, and counted as [`Shed::NicDrop`]: a device goes on, and so do the other
    /// workers.
    Drop,
    /// No more frames are taken until it has gone on: those of a recording wait.
    Wait,
}

/// Segments for one worker.
struct Parcel {
    load: Load,
    /// Bytes that their frames had on the wire: they count where they are analysed.
    bytes: u64,
    /// All frames until this time, in nanoseconds since 1970-01-01 UTC, have been handed over.
    through_ns: u64,
}

impl Parcel {
    fn empty() -> Self {
        Self { load: Load::new(PARCEL, PARCEL), bytes: 0, through_ns: 0 }
    }
}

/// The dealer's end of the way to one other worker.
struct Way {
    send: Sender<Parcel>,
    emptied: Receiver<Parcel>,
    /// Parcels that are here and empty; the last one that came back is used first, as it is most
    /// likely still in a cache.
    idle: Vec<Parcel>,
    /// The one that is being filled, never empty.
    open: Option<Parcel>,
    /// The time that went with the last parcel.
    told_ns: u64,
}

impl Way {
    /// The way with so many parcels, and its other end.
    fn new(parcels: usize) -> (Self, Inbox) {
        let (send, parcels_in) = bounded(parcels);
        let (give_back, emptied) = bounded(parcels);
        let idle = (0..parcels).map(|_| Parcel::empty()).collect();
        let way = Self { send, emptied, idle, open: None, told_ns: 0 };
        let inbox =
            Inbox { parcels: parcels_in, give_back, is_closed: false, backoff: Backoff::new() };
        (way, inbox)
    }

    /// Takes the parcels that have come back.
    fn collect(&mut self) {
        self.idle.extend(self.emptied.try_iter());
    }

    /// The parcel that takes the next segment; `None` when there is none left.
    #[inline]
    fn parcel(&mut self, through_ns: u64) -> Option<&mut Parcel> {
        if self.open.as_ref().is_some_and(|parcel| parcel.load.segments().len() >= PARCEL) {
            self.send(through_ns);
        }
        if self.open.is_none() {
            self.open = self.idle.pop();
        }
        self.open.as_mut()
    }

    /// Sends what there is, if the receiver waits for it or for the time.
    fn hurry(&mut self, through_ns: u64) {
        self.collect();
        let is_due = through_ns >= self.told_ns.saturating_add(TELL_NS);
        if is_due {
            self.open = self.open.take().or_else(|| self.idle.pop());
        }
        // One that has work gets the rest in one piece.
        if self.open.is_some() && (is_due || self.send.is_empty()) {
            self.send(through_ns);
        }
    }

    fn send(&mut self, through_ns: u64) {
        if let Some(mut parcel) = self.open.take() {
            parcel.through_ns = through_ns;
            self.told_ns = through_ns;
            // There is room for all parcels that there are; a worker that has gone needs none.
            let _ = self.send.try_send(parcel);
        }
    }
}

/// Who deals out segments: worker 0.
pub(super) struct Dealer {
    owners: Owners,
    ways: Vec<Way>,
    full: Full,
    /// Parcels that one look at the queues can take.
    needed: usize,
    /// What belongs to its own shards.
    own: Load,
    /// Frames that do not go to others.
    ledger: Ledger,
    segment: Segment,
    text: RstTexts,
    /// All frames until this time have been dealt out.
    through_ns: u64,
    /// Frames that went to others.
    handed: u64,
}

impl Dealer {
    /// The dealer of `workers` workers, and the inboxes of those from number 1 on. `most` is the
    /// number of frames that it is given at once, at most.
    pub(super) fn new(workers: usize, most: usize, full: Full) -> (Self, Vec<Inbox>) {
        let workers = workers.clamp(1, SHARDS);
        // What is open comes on top of what the frames fill.
        let needed = most.div_ceil(PARCEL) + 1;
        let (ways, inboxes) = (1..workers).map(|_| Way::new(PARCELS.max(2 * needed))).unzip();
        let dealer = Self {
            owners: Owners::new(workers),
            ways,
            full,
            needed,
            own: Load::new(BURST, BURST),
            ledger: Ledger::default(),
            segment: Segment::default(),
            text: RstTexts::new(1),
            through_ns: 0,
            handed: 0,
        };
        (dealer, inboxes)
    }

    /// Whether frames may be taken now.
    pub(super) fn is_ready(&mut self) -> bool {
        let needed = self.needed;
        self.full == Full::Drop
            || self.ways.iter_mut().all(|way| {
                way.collect();
                way.idle.len() >= needed
            })
    }

    /// Deals out frames in order, the first of them as number `first`; what belongs to `engine` stays
    /// here until [`Self::settle`].
    pub(super) fn deal<'a>(
        &mut self,
        engine: &mut Engine,
        frames: impl IntoIterator<Item = Frame<'a>>,
        first: u64,
    ) {
        for (number, frame) in (first..).zip(frames) {
            let mut placing = Placing {
                owners: &self.owners,
                ways: &mut self.ways,
                own: &mut self.own,
                nowhere: (&mut self.segment, &mut self.text),
                frame: (number, frame.wire_len),
                through_ns: self.through_ns,
                placed: Placed::Own,
            };
            if !dissect_to(&frame, &mut placing, &mut self.ledger) {
                continue;
            }
            match placing.placed {
                Placed::Own if self.own.segments().len() == BURST => self.take_own(engine),
                Placed::Own => {}
                Placed::Other => {
                    self.ledger.received -= 1;
                    self.ledger.bytes -= u64::from(frame.wire_len);
                    self.handed += 1;
                }
                Placed::Nowhere => {
                    self.text.clear();
                    self.ledger.shed(Shed::NicDrop);
                }
            }
        }
    }

    fn take_own(&mut self, engine: &mut Engine) {
        engine.process(self.own.segments(), self.own.texts());
        self.own.clear();
    }

    /// Brings `engine` up to what has been dealt.
    pub(super) fn settle(&mut self, engine: &mut Engine) {
        self.take_own(engine);
        engine.count_frames(&self.ledger);
        self.ledger = Ledger::default();
    }

    /// Hears that all frames until `through_ns` have been dealt out, and lets others know.
    pub(super) fn pass(&mut self, through_ns: u64) {
        self.through_ns = through_ns;
        self.ways.iter_mut().for_each(|way| way.hurry(through_ns));
    }

    /// Frames that went to others so far.
    pub(super) const fn handed(&self) -> u64 {
        self.handed
    }
}

impl Drop for Dealer {
    fn drop(&mut self) {
        // The receivers take what is under way, and then find that there will be no more.
        for way in &mut self.ways {
            way.send(self.through_ns);
        }
    }
}

/// Whose a segment became.
enum Placed {
    /// The dealer's.
    Own,
    /// Another worker's.
    Other,
    /// Nobody's: its owner has all parcels.
    Nowhere,
}

/// Finds the place for one segment.
struct Placing<'a> {
    owners: &'a Owners,
    ways: &'a mut [Way],
    own: &'a mut Load,
    /// Where what is dropped is written.
    nowhere: (&'a mut Segment, &'a mut RstTexts),
    /// Its number, and its length on the wire.
    frame: (u64, u32),
    through_ns: u64,
    placed: Placed,
}

impl Sink for Placing<'_> {
    #[inline(always)]
    fn place(&mut self, hash: u64) -> (&mut Segment, &mut RstTexts) {
        let owner = self.owners.of(hash);
        let (segment, texts) = match owner.checked_sub(1).and_then(|at| self.ways.get_mut(at)) {
            None => self.own.place(),
            Some(way) => match way.parcel(self.through_ns) {
                Some(parcel) => {
                    self.placed = Placed::Other;
                    parcel.bytes += u64::from(self.frame.1);
                    parcel.load.place()
                }
                None => {
                    self.placed = Placed::Nowhere;
                    (&mut *self.nowhere.0, &mut *self.nowhere.1)
                }
            },
        };
        segment.frame = self.frame.0;
        (segment, texts)
    }
}

/// What a worker gets from the dealer.
pub(super) struct Inbox {
    parcels: Receiver<Parcel>,
    give_back: Sender<Parcel>,
    is_closed: bool,
    backoff: Backoff,
}

impl Inbox {
    /// Gives the segments of the next parcel to the engine; `None` when there is no parcel.
    pub(super) fn open(&mut self, engine: &mut Engine) -> Option<Taken> {
        let mut parcel = match self.parcels.try_recv() {
            Ok(parcel) => parcel,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => {
                self.is_closed = true;
                return None;
            }
        };
        self.backoff.reset();
        let frames = parcel.load.segments().len() as u64;
        let ledger = Ledger { received: frames, bytes: parcel.bytes, ..Ledger::default() };
        engine.count_frames(&ledger);
        engine.process(parcel.load.segments(), parcel.load.texts());
        let taken = Taken { frames, last_ns: parcel.through_ns };
        parcel.load.clear();
        parcel.bytes = 0;
        // There is room for all parcels that there are; a dealer that has gone needs none.
        let _ = self.give_back.try_send(parcel);
        Some(taken)
    }

    /// Whether the dealer has gone, and all that came from it has been taken.
    pub(super) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Waits a moment, without sleep: where the system's timers are coarse, that would take longer
    /// than it takes to fill all parcels. Whoever else wants the core gets it.
    pub(super) fn pause(&self) {
        self.backoff.snooze();
    }
}

impl Intake for Inbox {
    /// There is one dealer.
    type New = Infallible;

    fn take(&mut self, engine: &mut Engine, _: &Clock, _first: u64) -> Option<Taken> {
        self.open(engine)
    }

    fn count_losses(&mut self, _: &mut Ledger) {
        // The dealer does.
    }

    fn lag(&self) -> Option<Duration> {
        // The dealer says how late it is.
        None
    }

    fn end(&self) -> End {
        End::Closed(self.is_closed)
    }

    fn wait(&mut self, _longest: Duration) {
        self.pause();
    }

    fn change(&mut self, new: Self::New) {
        match new {}
    }
}

#[cfg(test)]
#[path = "steer/tests.rs"]
mod tests;
