//! The exchange between workers: who dissected a batch sends each owner its segments.
//!
//! For each pair of workers there is a bounded queue of parcels, one parcel a batch, and a queue
//! that takes the empty parcels back. A worker sends only when all its queues have room, and takes
//! what has arrived before it sends, so none waits for another that waits for it.

use crossbeam::channel::{Receiver, Sender, bounded};
use resetscope_core::engine::dissect_to;
use resetscope_core::interval::{Ledger, Shed};
use resetscope_core::owners::Owners;
use resetscope_core::segment::{RstTexts, Segment};
use resetscope_core::wire::Sink;

use crate::feed::{Cut, Signal};
use crate::source::Batch;

use super::BATCH_FRAMES;
use super::load::Load;

/// Parcels that may wait between two workers. Few do while all have a core to themselves; when one
/// has to stand back, for the thread that maps ahead or for another program, the others can dissect
/// that much further on, instead of waiting for its parcels.
const QUEUE: usize = 16;

/// The segments of one batch that belong to one worker.
pub struct Parcel {
    index: u64,
    signal: Signal,
    through: u64,
    ledger: Ledger,
    load: Load,
    from: usize,
}

impl Parcel {
    /// A parcel with room for a fair share of a batch; a larger one grows it once.
    fn empty(from: usize, workers: usize) -> Self {
        Self {
            index: 0,
            signal: Signal::Go,
            through: 0,
            ledger: Ledger::default(),
            load: Load::new(BATCH_FRAMES / workers * 3 / 2, BATCH_FRAMES),
            from,
        }
    }

    /// The segments, in the order of the capture.
    pub fn segments(&self) -> &[Segment] {
        self.load.segments()
    }

    /// The texts that their RSTs carried.
    pub const fn texts(&self) -> &RstTexts {
        self.load.texts()
    }

    /// The ledger of the whole batch, if this parcel is the one that carries it.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What is to be done afterwards.
    pub const fn signal(&self) -> Signal {
        self.signal
    }

    /// Number of the batch's last frame.
    pub const fn through(&self) -> u64 {
        self.through
    }
}

/// A worker's ends of all the queues.
pub struct Desk {
    worker: usize,
    next: u64,
    out: Vec<Sender<Parcel>>,
    inbox: Vec<Receiver<Parcel>>,
    arrived: Vec<Option<Parcel>>,
    returns: Vec<Sender<Parcel>>,
    empties: Receiver<Parcel>,
    /// Empty parcels, the last one used on top: what it holds may still lie in a cache.
    spare: Vec<Parcel>,
    filling: Vec<Parcel>,
    owners: Owners,
    frames: u64,
}

/// Deals segments out to their owners' parcels.
struct Dealer<'a> {
    parcels: &'a mut [Parcel],
    owners: &'a Owners,
    /// Number of the frame that is being dissected.
    number: u64,
}

impl Sink for Dealer<'_> {
    #[inline(always)]
    fn place(&mut self, hash: u64) -> (&mut Segment, &mut RstTexts) {
        let owner = self.owners.of(hash);
        let last = self.parcels.len() - 1;
        let (segment, texts) = self.parcels[owner.min(last)].load.place();
        segment.frame = self.number;
        (segment, texts)
    }
}

/// The desks of `workers` workers, connected with each other.
#[must_use]
pub fn desks(workers: usize) -> Vec<Desk> {
    let (give, take): (Vec<_>, Vec<_>) =
        (0..workers).map(|_| bounded(workers * (QUEUE + 2))).unzip();
    let mut inboxes: Vec<Vec<Receiver<Parcel>>> = vec![Vec::new(); workers];
    let mut outs: Vec<Vec<Sender<Parcel>>> = vec![Vec::new(); workers];
    for out in &mut outs {
        for inbox in &mut inboxes {
            let (send, receive) = bounded(QUEUE);
            out.push(send);
            inbox.push(receive);
        }
    }
    outs.into_iter()
        .zip(inboxes)
        .zip(take)
        .enumerate()
        .map(|(worker, ((out, inbox), empties))| Desk {
            worker,
            next: 0,
            out,
            arrived: inbox.iter().map(|_| None).collect(),
            inbox,
            returns: give.clone(),
            empties,
            spare: Vec::new(),
            filling: Vec::with_capacity(workers),
            owners: Owners::new(workers),
            frames: 0,
        })
        .collect()
}

impl Desk {
    /// The worker who sits here.
    pub const fn worker(&self) -> usize {
        self.worker
    }

    /// How many workers there are.
    pub const fn workers(&self) -> usize {
        self.out.len()
    }

    /// Whether a whole batch could be sent now.
    pub fn can_send(&self) -> bool {
        self.out.iter().all(|queue| !queue.is_full())
    }

    /// The next parcel in the order of the batches, if it has arrived.
    pub fn receive(&mut self) -> Option<Parcel> {
        for (slot, inbox) in self.arrived.iter_mut().zip(&self.inbox) {
            if slot.is_none() {
                *slot = inbox.try_recv().ok();
            }
            if slot.as_ref().is_some_and(|parcel| parcel.index == self.next) {
                self.next += 1;
                return slot.take();
            }
        }
        None
    }

    /// Gives an emptied parcel back to who sent it.
    pub fn give_back(&self, mut parcel: Parcel) {
        parcel.load.clear();
        parcel.ledger = Ledger::default();
        if let Some(owner) = self.returns.get(parcel.from) {
            // A full queue only means that one parcel more is made anew.
            let _ = owner.try_send(parcel);
        }
    }

    /// Dissects a batch and sends every owner its part. Must only be called after
    /// [`Desk::can_send`] said so.
    pub fn send(&mut self, batch: &Batch, cut: Cut) {
        let workers = self.out.len();
        self.filling.clear();
        self.spare.extend(self.empties.try_iter());
        for _ in 0..workers {
            let parcel = self.spare.pop().unwrap_or_else(|| Parcel::empty(self.worker, workers));
            self.filling.push(parcel);
        }
        let mut ledger = Ledger::default();
        ledger.lost(Shed::KernelDrop, cut.lost);
        let mut dealer = Dealer { parcels: &mut self.filling, owners: &self.owners, number: 0 };
        for (number, frame) in (batch.first_number()..).zip(batch.frames()) {
            dealer.number = number;
            dissect_to(&frame, &mut dealer, &mut ledger);
        }
        let through = match batch.len() {
            0 => self.frames,
            len => batch.first_number() + len as u64 - 1,
        };
        self.frames = through;
        for (owner, (mut parcel, queue)) in self.filling.drain(..).zip(&self.out).enumerate() {
            parcel.index = cut.index;
            parcel.signal = cut.signal;
            parcel.through = through;
            if owner == self.worker {
                parcel.ledger = ledger.clone();
            }
            // Room was made sure of, and receivers live as long as the workers do; at the very
            // end an owner that has finished needs no more parcels.
            let _ = queue.try_send(parcel);
        }
    }
}
