//! The packets of a flow up to a reset and after it, numbered as Wireshark numbers them.
//!
//! The whole flow is followed from its first packet, so that relative numbers and repetitions are
//! right; only the last packets before the reset and the first after it are kept.

use std::collections::VecDeque;

use resetscope_core::flow::key::FlowKey;
use resetscope_core::judge::event::Event;
use resetscope_core::judge::evidence::Fact;
use resetscope_core::judge::form::Form;
use resetscope_core::segment::{RstTexts, Segment, TcpFlags, quirk};
use resetscope_core::seq::Seq;
use resetscope_core::wire::{self, Sink, dissect_to};

use crate::source::{Batch, Fill, Source, SourceError};

use super::choose::BATCH;

/// What comes later than this after the reset, in nanoseconds, is another story.
const AFTER_NS: u64 = 60_000_000_000;

/// What a packet is in the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// The first RST of the event.
    Reset,
    /// Another RST.
    ResetAgain,
    /// A SYN with a sequence number of its own.
    Opens,
    /// The answer to a SYN.
    Answers,
    /// The sender's first FIN.
    Closes,
    /// Nothing that had not been sent before.
    Repeated,
    /// One number below the next, and at most one byte: a keepalive probe.
    Probe,
    /// It begins beyond all that its sender had sent before: something is missing, or overtaken.
    Gap,
    /// It closes the window.
    WindowClosed,
    /// The packet that the reset answers.
    Trigger,
    /// The last packet of the other side before a reset that answers nothing.
    PeersLast,
    /// From the host that the reset names, later than it can have been on its way.
    LifeAfter,
}

impl Remark {
    /// The remark in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Reset => "THE RESET",
            Self::ResetAgain => "RST",
            Self::Opens => "opens",
            Self::Answers => "accepts",
            Self::Closes => "closes",
            Self::Repeated => "retransmission",
            Self::Probe => "keepalive probe",
            Self::Gap => "gap before",
            Self::WindowClosed => "window closed",
            Self::Trigger => "trigger",
            Self::PeersLast => "peer's last",
            Self::LifeAfter => "life after the reset",
        }
    }
}

/// One packet.
#[derive(Clone, Debug)]
pub struct Row {
    /// Number of the frame, from 1.
    pub frame: u64,
    /// Nanoseconds since 1970-01-01 UTC.
    pub time_ns: u64,
    /// Endpoint of the key that sent it.
    pub side: usize,
    /// Control bits.
    pub flags: TcpFlags,
    /// Relative sequence number.
    pub seq: u32,
    /// Relative acknowledgement, when ACK is set.
    pub ack: Option<u32>,
    /// Payload bytes.
    pub len: u32,
    /// Window field as sent.
    pub window: u16,
    /// Time to live or hop limit.
    pub ttl: u8,
    /// IPv4 identification; IPv6 has none.
    pub ip_id: Option<u16>,
    /// Options present, see [`resetscope_core::segment::option`].
    pub options: u8,
    /// Timestamp value and echo reply, when the option is there.
    pub timestamps: Option<[u32; 2]>,
    /// What it is in the story.
    pub remarks: Vec<Remark>,
}

/// The packets around a reset.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// In the order of the capture.
    pub rows: Vec<Row>,
    /// Packets of the flow before the first row.
    pub earlier: u64,
    /// There are more packets after the last row.
    pub later: bool,
}

/// Sequence space as Wireshark counts it: from the ISN when a SYN was seen, otherwise so that the
/// first number seen is 1.
#[derive(Default)]
struct Numbering {
    base: [Option<u32>; 2],
    /// The highest number that a side has sent so far.
    next: [Option<u32>; 2],
    closed: [bool; 2],
}

impl Numbering {
    /// Takes a segment: its relative numbers, and what is remarkable about it.
    fn take(&mut self, segment: &Segment) -> (u32, Option<u32>, Vec<Remark>) {
        let side = usize::from(segment.direction & 1);
        let is_syn = segment.flags.is_syn();
        if is_syn && self.base[side].is_some_and(|base| base != segment.seq) {
            *self = Self::default();
        }
        if segment.flags.is_syn_ack() && self.base[side].is_some_and(|base| base != segment.seq) {
            // An ACK of an older connection gave a number that the handshake now corrects.
            (self.base[side], self.next[side], self.closed[side]) = (None, None, false);
        }
        let own = if segment.flags.any(TcpFlags::SYN) {
            segment.seq
        } else {
            segment.seq.wrapping_sub(1)
        };
        let base = *self.base[side].get_or_insert(own);
        let has_ack = segment.flags.any(TcpFlags::ACK);
        let ack = has_ack.then(|| {
            let base = self.base[side ^ 1].get_or_insert(segment.ack.wrapping_sub(1));
            segment.ack.wrapping_sub(*base)
        });
        (segment.seq.wrapping_sub(base), ack, self.remarks(segment, side))
    }

    fn remarks(&mut self, segment: &Segment, side: usize) -> Vec<Remark> {
        let flags = segment.flags;
        if flags.any(TcpFlags::RST) {
            return vec![Remark::ResetAgain];
        }
        let next = self.next[side];
        let ahead = next.map(|next| Seq(segment.seq).since(Seq(next)));
        let control = flags.any(TcpFlags::SYN | TcpFlags::FIN);
        let repeated = segment.sequence_len() > 0
            && next.is_some_and(|next| !Seq(segment.end()).after(Seq(next)));
        let mut remarks = Vec::new();
        if !control && segment.payload_len <= 1 && ahead == Some(-1) {
            remarks.push(Remark::Probe);
        } else if repeated {
            remarks.push(Remark::Repeated);
        } else if ahead.is_some_and(|by| by > 0) {
            remarks.push(Remark::Gap);
        }
        if flags.is_syn() && !repeated {
            remarks.push(Remark::Opens);
        }
        if flags.is_syn_ack() && !repeated {
            remarks.push(Remark::Answers);
        }
        if flags.any(TcpFlags::FIN) && !self.closed[side] {
            self.closed[side] = true;
            remarks.push(Remark::Closes);
        }
        if segment.window == 0 && !control {
            remarks.push(Remark::WindowClosed);
        }
        if next.is_none_or(|next| Seq(segment.end()).after(Seq(next))) {
            self.next[side] = Some(segment.end());
        }
        remarks
    }
}

/// Reads `source` and keeps the packets around `event`, at most `packets` in all.
///
/// # Errors
/// When the source as a whole cannot go on.
pub fn collect(
    source: &mut dyn Source,
    event: &Event,
    packets: usize,
) -> Result<Timeline, SourceError> {
    let mut story = Collector::new(event, packets.max(1));
    let mut batch = Batch::new(BATCH);
    let mut read = Read { segment: Segment::default(), texts: RstTexts::new(1), timestamps: None };
    'reading: while source.fill(&mut batch, u64::MAX)? != Fill::End {
        for (frame, number) in batch.frames().zip(batch.first_number()..) {
            if story.is_complete(frame.time_ns, number) {
                break 'reading;
            }
            read.texts.clear();
            if dissect_to(&frame, &mut read).is_ok() && read.segment.key == story.key {
                read.segment.frame = number;
                story.take(&read.segment, read.timestamps);
            }
        }
    }
    Ok(story.finish(event))
}

/// A segment, and what of its options only a reader of timelines wants to know.
struct Read {
    segment: Segment,
    texts: RstTexts,
    timestamps: Option<[u32; 2]>,
}

impl Sink for Read {
    fn place(&mut self, _hash: u64) -> (&mut Segment, &mut RstTexts) {
        (&mut self.segment, &mut self.texts)
    }

    fn options(&mut self, area: &[u8]) {
        self.timestamps = wire::timestamps(area);
    }
}

struct Collector {
    key: FlowKey,
    rst_frame: u64,
    rst_ns: u64,
    packets: usize,
    numbering: Numbering,
    /// Up to the reset, itself included.
    before: VecDeque<Row>,
    after: Vec<Row>,
    count_before: u64,
    more: bool,
}

impl Collector {
    fn new(event: &Event, packets: usize) -> Self {
        Self {
            key: event.key,
            rst_frame: event.frame,
            rst_ns: event.time_ns,
            packets,
            numbering: Numbering::default(),
            before: VecDeque::with_capacity(packets.min(BATCH)),
            after: Vec::new(),
            count_before: 0,
            more: false,
        }
    }

    fn is_complete(&self, time_ns: u64, frame: u64) -> bool {
        frame > self.rst_frame && (self.more || time_ns > self.rst_ns.saturating_add(AFTER_NS))
    }

    fn take(&mut self, segment: &Segment, timestamps: Option<[u32; 2]>) {
        let (seq, ack, remarks) = self.numbering.take(segment);
        let row = Row {
            frame: segment.frame,
            time_ns: segment.time_ns,
            side: usize::from(segment.direction & 1),
            flags: segment.flags,
            seq,
            ack,
            len: segment.payload_len,
            window: segment.window,
            ttl: segment.ttl,
            ip_id: (!segment.has_quirk(quirk::IPV6)).then_some(segment.ip_id),
            options: segment.options,
            timestamps,
            remarks,
        };
        if segment.frame <= self.rst_frame {
            if self.before.len() == self.packets {
                self.before.pop_front();
            }
            self.before.push_back(row);
            self.count_before += 1;
        } else if self.after.len() < self.packets {
            self.after.push(row);
        } else {
            self.more = true;
        }
    }

    /// Joins both parts: what follows the reset gets at most half of the room, unless there is
    /// little before it.
    fn finish(mut self, event: &Event) -> Timeline {
        self.mark(event);
        let room = self.packets / 2;
        let spare = self.packets.saturating_sub(self.before.len());
        let kept = self.after.len().min(room.max(spare));
        let later = self.more || kept < self.after.len();
        self.after.truncate(kept);
        while self.before.len() + kept > self.packets && self.before.len() > 1 {
            self.before.pop_front();
        }
        let earlier = self.count_before - self.before.len() as u64;
        let rows = self.before.into_iter().chain(self.after).collect();
        Timeline { rows, earlier, later }
    }

    /// Marks the reset, what asked for it, and what belies it.
    fn mark(&mut self, event: &Event) {
        let side = event.side & 1;
        if let Some(row) = self.before.back_mut() {
            row.remarks = vec![Remark::Reset];
        }
        let value = |fact| event.evidence.get(fact);
        let form = value(Fact::Form);
        let reply = form == Some(Form::ReplyR as i64) || form == Some(Form::ReplyRa as i64);
        let answers = reply && value(Fact::NoTrigger).is_none();
        if let Some(row) = self.before.iter_mut().rev().find(|row| row.side != side) {
            row.remarks.insert(0, if answers { Remark::Trigger } else { Remark::PeersLast });
        }
        let lives = [Fact::PostRstData, Fact::PostRstAck, Fact::PostRstSynAck];
        if lives.into_iter().any(|fact| value(fact).is_some()) {
            let opens = self.after.iter().position(|row| row.remarks.contains(&Remark::Opens));
            let until = opens.unwrap_or(self.after.len());
            let rows = self.after.iter_mut().take(until);
            for row in rows.filter(|row| row.side == side && !row.flags.any(TcpFlags::RST)) {
                row.remarks.push(Remark::LifeAfter);
            }
        }
    }
}
