//! One logical shard: its flows, its open reset events, its clock.
//!
//! Everything here depends only on the shard's own packets, in their order, and on the times at
//! which [`Shard::advance`] is called: so it does not matter which core owns the shard.

use crate::docket::Outbox;
use crate::flow::hash::hash;
use crate::flow::key::FlowKey;
use crate::flow::record::{FlowRecord, elapsed, ended, micros, seen, state};
use crate::flow::table::{AGE_MAX, Class, FlowTable, Slot};
use crate::interval::histogram::Metric;
use crate::interval::recorder::Recorder;
use crate::interval::{Interval, Shed};
use crate::judge::judge;
use crate::judge::open::Text;
use crate::judge::watch::{Belongs, Watch};
use crate::limits::{
    CLOCK_BACK_NS, CLOSING_TICKS, EMBRYONIC_TICKS, SHIELD_TICKS, SIGHTING_NS, SIGHTING_SLOTS,
    SWEEP_PARTS, TICK_NS, clock_was_wrong,
};
use crate::memory::Sighting;
use crate::ring::Ring;
use crate::segment::{RstTexts, Segment, TcpFlags};
use crate::track::{self, Opening, steady};

/// Where an engine's shards report to.
pub(crate) struct Report {
    pub(crate) interval: Interval,
    pub(crate) events: Outbox,
    pub(crate) sightings: Vec<Sighting>,
    pub(crate) recorder: Recorder,
}

impl Report {
    /// A report with room for `events` and `sightings`, and nothing in it.
    pub(crate) fn new(events: usize, sightings: usize) -> Self {
        Self {
            interval: Interval::default(),
            events: Outbox::new(events),
            sightings: Vec::with_capacity(sightings),
            recorder: Recorder::default(),
        }
    }

    /// Judges an event, counts it, and keeps its details while there is room.
    #[inline]
    fn event(&mut self, watch: &Watch, text: Option<&Text>) {
        let (event, listed) = self.events.next(text);
        watch.complete(event);
        let finding = judge(event);
        event.conclude(&finding);
        self.interval.resets.count(finding.subcause, finding.stage);
        self.interval.resets.unlisted += u64::from(!listed);
        self.recorder.count(&finding.measures);
    }
}

/// One logical shard.
pub(crate) struct Shard {
    table: FlowTable<FlowRecord>,
    ring: Ring,
    race_window_ns: u64,
    clock_ns: u64,
    next_due_ns: u64,
    tick_at_ns: u64,
    tick: u8,
    hand: usize,
    sighted: Box<[(u64, u64)]>,
}

impl Shard {
    /// A shard around `table` with room for `ring_size` open events.
    pub(crate) fn new(table: FlowTable<FlowRecord>, ring_size: usize, race_window_ns: u64) -> Self {
        Self {
            table,
            ring: Ring::new(ring_size),
            race_window_ns,
            clock_ns: 0,
            next_due_ns: 0,
            tick_at_ns: 0,
            tick: 0,
            hand: 0,
            sighted: vec![(0, 0); SIGHTING_SLOTS].into(),
        }
    }

    pub(crate) const fn table(&self) -> &FlowTable<FlowRecord> {
        &self.table
    }

    /// Events that a moment of the clock could let fall due.
    pub(crate) const fn open_events(&self) -> usize {
        self.ring.len()
    }

    /// The frame of the oldest event that is still open.
    pub(crate) fn oldest_open_frame(&self) -> Option<u64> {
        self.ring.oldest_open().map(|watch| watch.rst().frame)
    }

    /// The time of the oldest event that is still open.
    pub(crate) fn oldest_open_time(&self) -> Option<u64> {
        self.ring.oldest_open().map(|watch| watch.rst().time_ns)
    }

    /// Moves the clock to `now_ns`, if that is ahead, and does what falls due until then.
    #[inline]
    pub(crate) fn advance(&mut self, now_ns: u64, report: &mut Report) {
        if now_ns > self.clock_ns {
            self.clock_ns = now_ns;
            if now_ns >= self.next_due_ns {
                self.run_due(report);
            }
        }
    }

    /// The clock of the input was set back to `now_ns`; follows, unless its own was never so far ahead.
    #[cold]
    pub(crate) fn follow_back(&mut self, now_ns: u64, report: &mut Report) {
        if clock_was_wrong(self.clock_ns, now_ns) {
            self.set_back(now_ns, report);
        }
    }

    /// Sets the clock back to `now_ns`. What is open can no longer be timed and is judged now.
    #[cold]
    fn set_back(&mut self, now_ns: u64, report: &mut Report) {
        while !self.ring.is_empty() {
            self.cut_oldest(report);
        }
        (self.clock_ns, self.next_due_ns, self.tick_at_ns) = (now_ns, 0, 0);
        self.sighted.fill((0, 0));
        self.run_due(report);
    }

    #[cold]
    fn run_due(&mut self, report: &mut Report) {
        while let Some(oldest) = self.ring.oldest() {
            if oldest.is_open && oldest.deadline_ns > self.clock_ns {
                break;
            }
            self.close_oldest(report);
        }
        if self.clock_ns >= self.tick_at_ns {
            self.turn();
        }
        let verdict = self.ring.oldest().map_or(u64::MAX, |oldest| oldest.deadline_ns);
        self.next_due_ns = verdict.min(self.tick_at_ns);
    }

    /// Judges the oldest event and leaves it behind.
    fn close_oldest(&mut self, report: &mut Report) {
        self.close(self.ring.oldest_place(), report);
        if let Some(soon) = self.ring.pass() {
            self.table.prefetch_bucket_of(soon);
        }
    }

    /// Turns the table's clock and sweeps a part of the table.
    fn turn(&mut self) {
        let ticks =
            if self.tick_at_ns == 0 { 1 } else { (self.clock_ns - self.tick_at_ns) / TICK_NS + 1 };
        self.tick_at_ns = (self.clock_ns / TICK_NS + 1).saturating_mul(TICK_NS);
        if ticks > 32 {
            self.table.leap(self.tick, u32::try_from(ticks).unwrap_or(u32::MAX));
        }
        self.tick = self.tick.wrapping_add(ticks as u8);
        let part = self.table.buckets().div_ceil(SWEEP_PARTS);
        let parts = usize::try_from(ticks).unwrap_or(SWEEP_PARTS).min(SWEEP_PARTS);
        let limit = |class| match class {
            Class::Embryonic => EMBRYONIC_TICKS,
            Class::Closing => CLOSING_TICKS,
            Class::Established | Class::Pinned => AGE_MAX,
        };
        self.hand = self.table.sweep(self.hand, part * parts, self.tick, limit, |_, _, _| {});
    }

    /// Takes a segment if it is the next one of a connection under way, and all is as usual: true if
    /// so; else nothing has happened. `hint` is as for [`Shard::take`].
    #[inline(always)]
    pub(crate) fn take_steady(&mut self, segment: &Segment, hint: Slot) -> bool {
        // Neither before the clock, nor anything due: one comparison for both.
        let later = segment.time_ns.wrapping_sub(self.clock_ns);
        if later >= self.next_due_ns.wrapping_sub(self.clock_ns) {
            return false;
        }
        let known = self.table.at_hint(&segment.key, hint);
        let Some((flow, used)) = known else { return false };
        if !steady::observe(flow, segment, segment.time_ns / 1000) {
            return false;
        }
        self.clock_ns = segment.time_ns;
        // Not written unless it is new: most lines stay clean.
        if *used != self.tick {
            *used = self.tick;
        }
        true
    }

    /// Takes one segment. `hint` is where [`FlowTable::probe`] expects its flow.
    #[inline(never)]
    pub(crate) fn take(
        &mut self,
        segment: &Segment,
        hint: Slot,
        texts: &RstTexts,
        report: &mut Report,
    ) {
        if segment.time_ns.saturating_add(CLOCK_BACK_NS) < self.clock_ns {
            self.set_back(segment.time_ns, report);
        }
        self.advance(segment.time_ns, report);
        let slot = match self.table.find_hinted(segment.hash, &segment.key, hint) {
            Some(slot) => slot,
            None => {
                let Some(slot) = self.make_room(segment, report) else {
                    report.interval.frames.shed(Shed::TableFull);
                    return;
                };
                let now = micros(segment.time_ns);
                let flow = self.table.record_mut(slot);
                if segment.flags.is_syn() && segment.payload_len == 0 {
                    // All that floods and scans consist of: nothing is left to be worked out.
                    *flow = FlowRecord::opened_by_syn(segment, now);
                    report.interval.frames.analysed += 1;
                    return;
                }
                *flow = track::begin(segment, now);
                slot
            }
        };
        report.interval.frames.analysed += 1;
        if segment.flags.any(TcpFlags::RST | TcpFlags::SYN) {
            if segment.flags.any(TcpFlags::RST) {
                report.interval.resets.packets += 1;
                self.take_rst(segment, slot, texts, report);
                return;
            }
            if self.take_opening(segment, slot, report) {
                return;
            }
        }
        let now = micros(segment.time_ns);
        if self.table.record(slot).event != 0 {
            self.note_after(segment, slot);
        }
        let side = usize::from(segment.direction & 1);
        let flow = self.table.record_mut(slot);
        let before = flow.state;
        let accepts = segment.flags.is_syn_ack() && !flow.dir[side].has(seen::SYN_ACK);
        track::observe(flow, segment, now);
        let class = flow.class();
        if flow.state & !before & state::ESTABLISHED != 0 && !flow.is(state::MIDSTREAM) {
            let rtt = elapsed(flow.first(), now);
            report.interval.histograms.record(Metric::HandshakeRtt, rtt);
        }
        if accepts {
            let flow = *flow;
            self.sight(segment, &flow, report);
        }
        self.table.touch(slot, class, self.tick);
    }

    /// Reports that a service accepts, unless that was reported a moment ago.
    fn sight(&mut self, segment: &Segment, flow: &FlowRecord, report: &mut Report) {
        let side = segment.direction & 1;
        let (addr, port) =
            (segment.key.addr[usize::from(side)], segment.key.port[usize::from(side)]);
        let (service, _) = FlowKey::new((addr, port), ([0; 16], 0), segment.key.domain);
        let mark = hash(&service);
        let slot = mark as usize % SIGHTING_SLOTS;
        let Some((known, until_ns)) = self.sighted.get_mut(slot) else { return };
        if *known == mark && self.clock_ns < *until_ns {
            return;
        }
        (*known, *until_ns) = (mark, self.clock_ns.saturating_add(SIGHTING_NS));
        let asked = &flow.dir[usize::from(side ^ 1)];
        let once = asked.has(seen::SYN) && !asked.has(seen::HANDSHAKE_REPEATED);
        let response_us = if once {
            u32::try_from(elapsed(asked.last(), micros(segment.time_ns))).unwrap_or(u32::MAX)
        } else {
            u32::MAX
        };
        if report.sightings.len() < report.sightings.capacity() {
            report.sightings.push(Sighting {
                frame: segment.frame,
                time_ns: segment.time_ns,
                key: segment.key,
                side,
                ttl: segment.ttl,
                response_us,
            });
        }
    }

    /// Makes room for a flow that is not in the table. Its record is still that of another.
    #[inline]
    fn make_room(&mut self, segment: &Segment, report: &mut Report) -> Option<Slot> {
        let inserted =
            self.table.insert(segment.hash, Class::Embryonic, self.tick, SHIELD_TICKS)?;
        if let Some(class) = inserted.evicted {
            report.interval.flows.evict(class);
        }
        report.interval.flows.opened += 1;
        Some(inserted.slot)
    }

    /// Decides what a SYN or SYN-ACK means; true when nothing is left to track.
    fn take_opening(&mut self, segment: &Segment, slot: Slot, report: &mut Report) -> bool {
        let flow = *self.table.record(slot);
        match track::opening(&flow, segment) {
            Opening::Known => false,
            Opening::New => {
                if flow.last_packets() > 0 || flow.was_reset() {
                    self.reopen(segment, slot, &flow, report);
                }
                false
            }
            Opening::OnLive => {
                if flow.event != 0 {
                    self.note_after(segment, slot);
                }
                let flow = self.table.record_mut(slot);
                track::observe_syn_on_live(flow, segment, micros(segment.time_ns));
                true
            }
        }
    }

    /// Starts the record of a new connection on the same 5-tuple.
    fn reopen(&mut self, segment: &Segment, slot: Slot, flow: &FlowRecord, report: &mut Report) {
        let mut place = flow.event;
        while let Some(watch) = self.ring.open_at(place, slot) {
            watch.after.reopened = true;
            let next = watch.next;
            self.close(place, report);
            place = next;
        }
        report.interval.flows.opened += 1;
        *self.table.record_mut(slot) = track::begin_again(segment, flow, micros(segment.time_ns));
        self.table.touch(slot, Class::Embryonic, self.tick);
    }

    /// Lets the open events of the flow in `slot` see a packet that followed them.
    #[cold]
    fn note_after(&mut self, segment: &Segment, slot: Slot) {
        let flow = self.table.record(slot);
        let mut place = flow.event;
        let mut none = true;
        while let Some(watch) = self.ring.open_at(place, slot) {
            watch.observe(segment, flow);
            place = watch.next;
            none = false;
        }
        if none {
            self.table.record_mut(slot).event = 0;
        }
    }

    fn take_rst(&mut self, segment: &Segment, slot: Slot, texts: &RstTexts, report: &mut Report) {
        let flow = self.table.record(slot);
        match self.ring.open_at(flow.event, slot) {
            None => {
                let place = self.open_event(segment, slot, texts, false, report);
                self.table.record_mut(slot).event = place;
            }
            Some(watch) => match watch.relation(segment, flow) {
                Belongs::Same => watch.add_rst(segment, flow),
                Belongs::Aftermath => self.take_aftermath(segment, slot, texts, report),
                Belongs::NewDeath => {
                    // An aftermath of the first death stays open by itself: its place in the ring
                    // may be taken again before that of the new event, so nothing may point at it.
                    let (first, next) = (flow.event, watch.next);
                    if let Some(aftermath) = self.ring.open_at(next, slot) {
                        aftermath.is_alone = true;
                    }
                    self.close(first, report);
                    let place = self.open_event(segment, slot, texts, false, report);
                    self.table.record_mut(slot).event = place;
                }
            },
        }
        self.mark_reset(segment, slot);
    }

    /// Adds a RST to the aftermath of the flow's open event, or opens that.
    fn take_aftermath(
        &mut self,
        segment: &Segment,
        slot: Slot,
        texts: &RstTexts,
        report: &mut Report,
    ) {
        let flow = self.table.record(slot);
        let first = flow.event;
        let next = self.ring.open_at(first, slot).map_or(0, |watch| watch.next);
        if let Some(aftermath) = self.ring.open_at(next, slot) {
            aftermath.add_rst(segment, flow);
            return;
        }
        let place = self.open_event(segment, slot, texts, true, report);
        match self.ring.open_at(first, slot) {
            Some(watch) if first != place => watch.next = place,
            // The ring was full and the first event had to be judged to make room.
            _ => self.table.record_mut(slot).event = place,
        }
    }

    /// Judges the oldest event before its window has ended.
    fn cut_oldest(&mut self, report: &mut Report) {
        if let Some(watch) = self.ring.oldest_mut() {
            watch.after.window_cut = true;
        }
        self.close_oldest(report);
    }

    /// Opens an event for a RST; judges the oldest first when there is no room. Returns its place.
    fn open_event(
        &mut self,
        segment: &Segment,
        slot: Slot,
        texts: &RstTexts,
        aftermath: bool,
        report: &mut Report,
    ) -> u32 {
        if self.ring.is_full() {
            self.cut_oldest(report);
        }
        let deadline_ns = self.clock_ns.saturating_add(self.race_window_ns);
        self.next_due_ns = self.next_due_ns.min(deadline_ns);
        let (flow, text) = (self.table.record(slot), texts.get(segment.text));
        self.ring.push(text, |watch| {
            watch.begin(flow, segment, text, deadline_ns, aftermath, slot);
        })
    }

    /// Writes into the record that a RST was seen.
    fn mark_reset(&mut self, segment: &Segment, slot: Slot) {
        let side = usize::from(segment.direction & 1);
        let flow = self.table.record_mut(slot);
        let refused = flow.last_kind[side ^ 1] & crate::flow::record::kind::SYN != 0
            && !flow.dir[side].has(seen::SYN_ACK | seen::ACK | seen::DATA)
            && flow.initiator() == Some(side ^ 1);
        if refused {
            flow.ended |= ended::REFUSED;
        }
        flow.ended |= ended::RESET_BY << side;
        flow.note_under_way();
        if !flow.dir[side].has(seen::RST) {
            flow.append_history(side, seen::RST);
            flow.dir[side].flags |= seen::RST;
        }
        let class = flow.class();
        self.table.touch(slot, class, self.tick);
    }

    /// Judges the event at `place`, if it is still open, and lets go of its flow.
    ///
    /// The flow's record has long left the caches, and is left alone: who comes by sees that where it
    /// leads there is nothing.
    fn close(&mut self, place: u32, report: &mut Report) {
        let Some((watch, text)) = self.ring.close(place) else { return };
        report.event(watch, text);
        let (slot, next) = (watch.slot, watch.next);
        if watch.is_alone {
            return;
        }
        let class = if self.ring.open_at(next, slot).is_some() {
            self.table.record_mut(slot).event = next;
            Class::Pinned
        } else {
            Class::Closing
        };
        self.table.touch(slot, class, self.tick);
    }

    /// Judges all that is open: the capture ends here.
    pub(crate) fn finish(&mut self, report: &mut Report) {
        while !self.ring.is_empty() {
            self.close_oldest(report);
        }
    }
}

#[cfg(test)]
mod tests;
