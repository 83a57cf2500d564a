//! A worker's intake from DPDK: frames are analysed where the device put them.
//!
//! Bursts are received through capsule's [`PacketRx`]. Its `Mbuf` hides what is needed here (length
//! on the wire, time stamp, more segments) and is freed one by one, so a receive callback, which DPDK
//! runs inside the burst, takes the buffers over: capsule sees none of them. Several bursts are
//! analysed together and freed with one call. Where software steers, what belongs to others is handed
//! to them before that.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::slice;
use std::thread;
use std::time::Duration;

use capsule::PortQueue;
use capsule::batch::PacketRx;
use capsule_ffi as ffi;
use resetscope_core::engine::Engine;
use resetscope_core::frame::{Frame, LinkType};
use resetscope_core::interval::Ledger;

use super::port::{Losses, Port, read_clock};
use super::times::{Times, Unit};
use crate::live::block::Stamps;
use crate::live::clock::Clock;
use crate::live::steer::Dealer;
use crate::live::worker::{End, Intake, Taken};

/// Frames that capsule asks for at once.
pub(super) const BURST: usize = 32;

/// Frames ahead for which memory is asked for.
const AHEAD: usize = 4;

/// How far behind the clock an empty queue is known to be complete: devices hand over frames some
/// microseconds late, software ones some milliseconds.
const LAG: Duration = Duration::from_millis(100);

/// Silence that ends a worker's last look at its queues.
const PATIENCE: Duration = Duration::from_millis(20);

/// Looks in a row that leave frames behind which are part of the last look: those of a queue that was
/// full then, not those of one that is never empty.
const LEFTOVERS: u32 = 256;

/// The longest sleep of that last look.
const BLINK: Duration = Duration::from_micros(100);

/// Where the receive callback of one queue leaves the buffers.
struct Net {
    mbufs: Box<[*mut ffi::rte_mbuf]>,
    len: usize,
}

impl Net {
    fn room(&self) -> usize {
        self.mbufs.len() - self.len
    }
}

/// A [`Net`] that the callback and the worker take turns at.
struct Shared(UnsafeCell<Net>);

/// Buffers of one queue that were taken over.
pub(super) struct Catch(NonNull<Shared>);

// SAFETY: the callback runs inside `PacketRx::receive`, on the thread that calls it; whoever has the
// `Catch` has the queue, so both are used by one thread at a time.
unsafe impl Send for Catch {}

impl Catch {
    /// Has everything that the queue `queue` of the port `port` receives taken over, `bursts` bursts
    /// at most. `None` when DPDK does not allow it.
    pub(super) fn install(port: &Port, queue: u16, bursts: usize) -> Option<Self> {
        let mbufs = vec![std::ptr::null_mut(); bursts * BURST].into_boxed_slice();
        // The port keeps the pointer until the end of the process, and so this stays.
        let shared =
            NonNull::from(Box::leak(Box::new(Shared(UnsafeCell::new(Net { mbufs, len: 0 })))));
        // SAFETY: the function has the type that DPDK calls, and the pointer lives forever.
        let installed = unsafe {
            ffi::rte_eth_add_rx_callback(port.id, queue, Some(take_over), shared.as_ptr().cast())
        };
        (!installed.is_null()).then_some(Self(shared))
    }

    /// The buffers. Not to be held while a burst is received.
    fn net(&mut self) -> &mut Net {
        // SAFETY: the pointer lives forever, and nothing else refers to the contents: the callback
        // runs only inside a burst, during which this borrow has ended.
        unsafe { &mut *self.0.as_ref().0.get() }
    }
}

/// Takes the buffers of a burst over and leaves none.
unsafe extern "C" fn take_over(
    _port: u16,
    _queue: u16,
    mbufs: *mut *mut ffi::rte_mbuf,
    count: u16,
    _most: u16,
    shared: *mut c_void,
) -> u16 {
    // SAFETY: the pointer is the one of `install`, and the thread that receives the burst holds no
    // other reference to the contents.
    let net = unsafe { &mut *(*shared.cast::<Shared>()).0.get() };
    // SAFETY: DPDK passes that many buffers.
    let given = unsafe { slice::from_raw_parts(mbufs, count.into()) };
    let Some(room) = net.mbufs.get_mut(net.len..net.len + given.len()) else {
        // There is room for each burst that is asked for; capsule would free this one.
        return count;
    };
    room.copy_from_slice(given);
    net.len += given.len();
    0
}

/// One receive queue of one port.
pub(super) struct Queue {
    rx: PortQueue,
    catch: Catch,
    times: Times,
    port: u16,
    /// The time of each buffer.
    times_ns: Box<[u64]>,
    /// Times in a row that there was no room for all that there may have been.
    left: u32,
}

impl Queue {
    /// The queue `rx` of `port`, whose buffers come to `catch`.
    pub(super) fn new(rx: PortQueue, mut catch: Catch, port: &Port) -> Self {
        let times_ns = vec![0; catch.net().mbufs.len()].into_boxed_slice();
        Self { rx, catch, times: port.times.clone(), port: port.id, times_ns, left: 0 }
    }

    /// Receives what is there, as far as there is room; returns the latest of their times.
    fn receive(&mut self, clock: &Clock) -> u64 {
        let mut last_ns = 0;
        loop {
            let from = self.catch.net().len;
            // Empty by the callback's doing.
            drop(self.rx.receive());
            let net = self.catch.net();
            let burst = net.mbufs.get(from..net.len).unwrap_or_default();
            if burst.is_empty() {
                self.left = 0;
                return last_ns;
            }
            let now_ns = clock.now_ns();
            let times_ns = self.times_ns.get_mut(from..net.len).unwrap_or_default();
            if matches!(self.times, Times::Clock) {
                // Nothing in the buffers is needed, and they are not looked at.
                times_ns.fill(now_ns);
                last_ns = last_ns.max(now_ns);
            } else {
                let stamps = clock.stamps();
                for (mbuf, time_ns) in burst.iter().zip(times_ns) {
                    *time_ns = time_of(&self.times, *mbuf, stamps, now_ns);
                    last_ns = last_ns.max(*time_ns);
                }
            }
            let is_last = burst.len() < BURST;
            if is_last || net.room() < BURST {
                self.left = if is_last { 0 } else { self.left.saturating_add(1) };
                return last_ns;
            }
        }
    }

    /// Gives all buffers to `use_frames` and frees them; returns how many there were.
    fn spend(&mut self, use_frames: impl FnOnce(Frames<'_>)) -> u64 {
        let net = self.catch.net();
        let mbufs = net.mbufs.get(..net.len).unwrap_or_default();
        use_frames(Frames { mbufs, times_ns: &self.times_ns, at: 0 });
        let count = mbufs.len();
        // SAFETY: the buffers were received and belong to this queue; no frame outlives the call
        // above. All segments go back, each to its pool.
        unsafe { ffi::rte_pktmbuf_free_bulk(net.mbufs.as_mut_ptr(), count as u32) };
        net.len = 0;
        count as u64
    }
}

#[inline]
fn time_of(times: &Times, mbuf: *mut ffi::rte_mbuf, stamps: Stamps, now_ns: u64) -> u64 {
    let Times::Stamps { unit, offset, flag } = times else { return now_ns };
    // SAFETY: the buffer was received and has not been freed.
    if unsafe { (*mbuf).ol_flags } & flag == 0 {
        return now_ns;
    }
    // SAFETY: DPDK gave this place in the buffer's descriptor to a time stamp of eight bytes.
    let stamp = unsafe { mbuf.cast::<u8>().add(*offset).cast::<u64>().read_unaligned() };
    match unit {
        Unit::Recorded => stamp.saturating_mul(1_000),
        Unit::Nanoseconds => stamps.apply(stamp),
        Unit::Ticks(ticks) => stamps.apply(ticks.ns(stamp)),
    }
}

/// The frames in buffers, borrowed.
pub(super) struct Frames<'a> {
    mbufs: &'a [*mut ffi::rte_mbuf],
    times_ns: &'a [u64],
    at: usize,
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    #[inline]
    fn next(&mut self) -> Option<Frame<'a>> {
        let mbuf = *self.mbufs.get(self.at)?;
        if let Some(ahead) = self.mbufs.get(self.at + AHEAD) {
            prefetch(*ahead);
        }
        // SAFETY: the buffer was received and is freed only when this iterator is gone.
        let mbuf = unsafe { &*mbuf };
        // SAFETY: the first segment's data lie there, so many bytes, initialised by the device; they
        // live as long as the buffer. Headers that go beyond it are counted as truncated.
        let bytes = unsafe {
            let start = mbuf.buf_addr.cast::<u8>().add(mbuf.data_off.into());
            slice::from_raw_parts(start, mbuf.data_len.into())
        };
        let time_ns = self.times_ns.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        let wire_len = mbuf.pkt_len.max(mbuf.data_len.into());
        Some(Frame { bytes, wire_len, time_ns, link: LinkType::ETHERNET })
    }
}

/// Asks for the beginning of a buffer's data.
#[inline]
fn prefetch(mbuf: *mut ffi::rte_mbuf) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the buffer was received and has not been freed.
        let (start, offset) = unsafe { ((*mbuf).buf_addr, (*mbuf).data_off) };
        let line = start.cast::<i8>().wrapping_add(offset.into());
        // SAFETY: a prefetch reads nothing as far as the program can tell and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = mbuf;
}

/// All that one worker gets: its queue at each port.
pub(super) struct Queues {
    queues: Vec<Queue>,
    /// What the ports lose; one worker counts it for all.
    losses: Option<Losses>,
    /// Who deals out what belongs to other workers, where software steers.
    dealer: Option<Box<Dealer>>,
}

impl Queues {
    pub(super) fn new(queues: Vec<Queue>, losses: Option<Losses>) -> Self {
        Self { queues, losses, dealer: None }
    }

    /// Has frames dealt out from now on, until there will be no more.
    pub(super) fn deal(&mut self, dealer: Dealer) {
        self.dealer = Some(Box::new(dealer));
    }

    /// Frames that went to other workers so far.
    pub(super) fn handed(&self) -> u64 {
        self.dealer.as_ref().map_or(0, |dealer| dealer.handed())
    }

    /// Receives from each queue and gives the frames to `use_frames`.
    pub(super) fn take_each(
        &mut self,
        clock: &Clock,
        mut use_frames: impl FnMut(Frames<'_>, u64),
    ) -> Option<Taken> {
        let mut taken = Taken { frames: 0, last_ns: 0 };
        for queue in &mut self.queues {
            let last_ns = queue.receive(clock);
            let before = taken.frames;
            taken.frames += queue.spend(|frames| use_frames(frames, before));
            taken.last_ns = taken.last_ns.max(last_ns);
        }
        (taken.frames > 0).then_some(taken)
    }

    fn are_recorded(&self) -> bool {
        self.queues.iter().any(|queue| queue.times.are_recorded())
    }
}

impl Intake for Queues {
    /// Devices do not go away.
    type New = std::convert::Infallible;

    fn take(&mut self, engine: &mut Engine, clock: &Clock, first: u64) -> Option<Taken> {
        let Some(mut dealer) = self.dealer.take() else {
            return self.take_each(clock, |frames, before| engine.push(frames, first + before));
        };
        let mut taken = None;
        if dealer.is_ready() {
            taken =
                self.take_each(clock, |frames, before| dealer.deal(engine, frames, first + before));
            dealer.settle(engine);
        }
        self.dealer = Some(dealer);
        taken
    }

    fn count_losses(&mut self, ledger: &mut Ledger) {
        if let Some(losses) = &mut self.losses {
            losses.count(ledger);
        }
        for queue in &mut self.queues {
            if let Times::Stamps { unit: Unit::Ticks(ticks), .. } = &mut queue.times
                && let Some(reading) = read_clock(queue.port)
            {
                ticks.update(reading);
            }
        }
    }

    fn lag(&self) -> Option<Duration> {
        (!self.are_recorded()).then_some(LAG)
    }

    fn end(&self) -> End {
        // Frames that get their time when they are taken do not tell how many came before them.
        let leaves = |queue: &Queue| {
            matches!(queue.times, Times::Clock) && (1..=LEFTOVERS).contains(&queue.left)
        };
        if self.queues.iter().any(leaves) {
            return End::Closed(false);
        }
        // A recording could go on for hours.
        End::Silence(if self.are_recorded() { Duration::ZERO } else { PATIENCE })
    }

    fn wait(&mut self, longest: Duration) {
        thread::sleep(longest.min(BLINK));
    }

    fn change(&mut self, new: Self::New) {
        match new {}
    }

    fn pass(&mut self, through_ns: u64) {
        if let Some(dealer) = &mut self.dealer {
            dealer.pass(through_ns);
        }
    }

    fn close(&mut self) {
        self.dealer = None;
    }
}
