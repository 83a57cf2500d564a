//! What a live worker hands to the collector, without ever waiting for it.

use std::collections::VecDeque;

use crossbeam::channel::{Sender, TrySendError};
use resetscope_core::engine::Engine;
use resetscope_core::interval::Interval;
use resetscope_core::memory::Sighting;

use super::pulse::Pulse;
use crate::feed::Span;
use crate::worker::Message;
use crate::worker::events::Pool;

/// Sightings that wait for room in the queue, at most.
const SIGHTINGS_MAX: usize = 1 << 16;

/// A worker's end of the collector's queue. While that is full, events are counted and dropped;
/// sightings come with the next message that has room;
/// intervals wait here, and as the collector takes a worker's messages in order, so long no more
/// events follow.
pub(super) struct Reporter {
    worker: usize,
    /// The interval that events are judged in.
    seq: u64,
    collector: Sender<Message>,
    /// Events of the current interval whose details were dropped.
    unlisted: u64,
    /// Sightings that the queue had no room for: what settles other events must not be lost.
    sightings: Vec<Sighting>,
    waiting: VecDeque<(Span, Box<Interval>)>,
    pulse: Pulse,
    pool: Pool,
}

impl Reporter {
    /// The end of worker `worker`.
    pub(super) fn new(worker: usize, collector: Sender<Message>) -> Self {
        Self {
            worker,
            seq: 0,
            collector,
            unlisted: 0,
            sightings: Vec::new(),
            waiting: VecDeque::new(),
            pulse: Pulse::default(),
            pool: Pool::default(),
        }
    }

    /// Tells others whether the worker goes on.
    pub(super) fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// Reports what has been judged. All frames before `through_ns` have been analysed.
    pub(super) fn report(&mut self, engine: &mut Engine, through_ns: u64) {
        self.send_waiting();
        let watermark = engine.oldest_open_time().map_or(through_ns, |open| open.min(through_ns));
        let events = self.pool.drain(engine);
        let sightings = self.take_sightings(engine);
        let (worker, seq) = (self.worker, self.seq);
        let message = Message::Events { worker, seq, events, sightings, watermark };
        let refused = if self.waiting.is_empty() {
            self.collector.try_send(message).err().map(TrySendError::into_inner)
        } else {
            Some(message)
        };
        if let Some(Message::Events { events, sightings, .. }) = refused {
            self.unlisted += events.len() as u64;
            self.sightings = sightings;
        }
    }

    /// The sightings that have not been sent, as far as they are worth their memory: services that are
    /// at work are seen again.
    fn take_sightings(&mut self, engine: &mut Engine) -> Vec<Sighting> {
        let mut sightings = std::mem::take(&mut self.sightings);
        sightings.extend(engine.drain_sightings());
        let surplus = sightings.len().saturating_sub(SIGHTINGS_MAX);
        sightings.drain(..surplus);
        sightings
    }

    /// Hands over the interval; events from now on belong to `next_seq`.
    pub(super) fn hand_over(&mut self, engine: &mut Engine, span: Span, next_seq: u64) {
        let mut interval = Box::new(engine.take_interval());
        interval.resets.unlisted += std::mem::take(&mut self.unlisted);
        self.waiting.push_back((span, interval));
        self.seq = next_seq;
        self.send_waiting();
    }

    fn send_waiting(&mut self) {
        while let Some((span, interval)) = self.waiting.pop_front() {
            match self.collector.try_send(Message::Interval { span, interval }) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => {}
                Err(TrySendError::Full(message)) => {
                    if let Message::Interval { span, interval } = message {
                        self.waiting.push_front((span, interval));
                    }
                    return;
                }
            }
        }
    }

    /// Hands over the last interval and all events before it, as soon as the collector takes them:
    /// there is nothing else left to do.
    pub(super) fn finish(&mut self, engine: &mut Engine, span: Span) {
        for (span, interval) in self.waiting.drain(..) {
            // A collector that has gone does not want anything any more.
            let _ = self.collector.send(Message::Interval { span, interval });
        }
        let (worker, seq) = (self.worker, self.seq);
        let events = self.pool.drain(engine);
        let sightings = self.take_sightings(engine);
        let watermark = u64::MAX;
        let _ = self.collector.send(Message::Events { worker, seq, events, sightings, watermark });
        let mut interval = Box::new(engine.take_interval());
        interval.resets.unlisted += self.unlisted;
        let _ = self.collector.send(Message::Interval { span, interval });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::clock::Clock;
    use super::super::worker::{End, Intake, Order, Taken, Turn, Worker};
    use super::*;
    use crossbeam::channel::bounded;
    use resetscope_core::engine::Config;
    use resetscope_core::frame::{Frame, LinkType};
    use resetscope_core::interval::Ledger;

    /// An Ethernet frame with a bare RST of the flow with this client port.
    fn reset(port: u16) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend_from_slice(&[8, 0, 0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0]);
        frame.extend_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2, 0, 80]);
        frame.extend_from_slice(&port.to_be_bytes());
        frame.extend_from_slice(&[0, 0, 0, 9, 0, 0, 0, 0, 0x50, 4, 0, 0, 0, 0, 0, 0]);
        frame
    }

    fn judged(engine: &mut Engine, ports: std::ops::Range<u16>) {
        for port in ports {
            let bytes = reset(port);
            let frame = Frame { bytes: &bytes, wire_len: 54, time_ns: 1, link: LinkType::ETHERNET };
            engine.push([frame], 1);
        }
        engine.finish();
    }

    /// Ethernet frames of a SYN and its SYN-ACK.
    fn accepted(engine: &mut Engine, port: u16) {
        let mut syn = reset(port);
        syn[47] = 2;
        let mut answer = syn.clone();
        answer[26..34].copy_from_slice(&[10, 0, 0, 2, 10, 0, 0, 1]);
        answer[34..36].copy_from_slice(&port.to_be_bytes());
        answer[36..38].copy_from_slice(&80_u16.to_be_bytes());
        answer[47] = 0x12;
        for (number, bytes) in (1..).zip([syn, answer]) {
            let frame = Frame { bytes: &bytes, wire_len: 54, time_ns: 1, link: LinkType::ETHERNET };
            engine.push([frame], number);
        }
    }

    /// An intake with so many resets left, a millisecond apart, each of a connection of its own.
    struct Backlog(u16);

    impl Intake for Backlog {
        type New = ();

        fn take(&mut self, engine: &mut Engine, _: &Clock, first: u64) -> Option<Taken> {
            let frames = self.0.min(500);
            let time_ns = |number: u64| 1_700_000_000_000_000_000 + number * 1_000_000;
            for number in first..first + u64::from(frames) {
                let (bytes, link) = (reset(self.0), LinkType::ETHERNET);
                let frame = Frame { bytes: &bytes, wire_len: 54, time_ns: time_ns(number), link };
                engine.push([frame], number);
                self.0 -= 1;
            }
            let last_ns = time_ns(first + u64::from(frames));
            (frames > 0).then_some(Taken { frames: frames.into(), last_ns })
        }

        fn count_losses(&mut self, _: &mut Ledger) {}

        fn lag(&self) -> Option<Duration> {
            None
        }

        fn end(&self) -> End {
            End::Closed(self.0 == 0)
        }

        fn wait(&mut self, _: Duration) {}

        fn change(&mut self, (): ()) {}
    }

    #[test]
    fn a_backlog_of_more_events_than_there_is_room_for_is_told_of_in_full() {
        let config = Config { flows: 1 << 16, events: 100, ..Config::default() };
        let engine = Engine::new(&config, 0, 1).unwrap();
        let (send, receive) = bounded(1024);
        let (order, orders) = bounded(1);
        let backlog = Backlog(60_000);
        let reporter = Reporter::new(0, send);
        let mut worker = Worker::new(engine, backlog, orders, reporter, Arc::default());
        order.send(Order::Finish(Span::default())).unwrap();
        assert_eq!(worker.turn(), Turn::Done);
        let (mut told, mut counted) = (0, (0, 0));
        for message in receive.try_iter() {
            match message {
                Message::Events { events, .. } => told += events.len() as u64,
                Message::Interval { interval, .. } => {
                    counted = (interval.resets.events, interval.resets.unlisted);
                }
            }
        }
        assert_eq!((told, counted), (60_000, (60_000, 0)));
    }

    #[test]
    fn a_full_queue_costs_no_sighting() {
        let mut engine = Engine::new(&Config { flows: 4096, ..Config::default() }, 0, 1).unwrap();
        let (send, receive) = bounded(1);
        let mut reporter = Reporter::new(0, send);
        let mut sighted = |reporter: &mut Reporter, port| {
            accepted(&mut engine, port);
            reporter.report(&mut engine, 10);
        };
        let received = || match receive.try_recv() {
            Ok(Message::Events { sightings, .. }) => sightings.len(),
            _ => panic!("no events"),
        };
        sighted(&mut reporter, 1);
        sighted(&mut reporter, 2);
        sighted(&mut reporter, 3);
        assert_eq!(received(), 1);
        sighted(&mut reporter, 4);
        assert_eq!(received(), 3, "two of them had no room before");
    }

    #[test]
    fn a_full_queue_costs_event_details_and_nothing_else() {
        let mut engine = Engine::new(&Config { flows: 4096, ..Config::default() }, 0, 1).unwrap();
        let (send, receive) = bounded(2);
        let mut reporter = Reporter::new(0, send);
        let span = |seq| Span { seq, start_ns: seq, end_ns: seq + 1 };
        judged(&mut engine, 0..3);
        reporter.report(&mut engine, 10);
        reporter.report(&mut engine, 11);
        judged(&mut engine, 3..7);
        reporter.report(&mut engine, 12);
        reporter.hand_over(&mut engine, span(0), 1);
        judged(&mut engine, 7..8);
        reporter.report(&mut engine, 13);
        let mut messages: Vec<Message> = receive.try_iter().collect();
        let finish = std::thread::spawn(move || reporter.finish(&mut engine, span(1)));
        messages.extend(receive.iter());
        finish.join().unwrap();
        let mut seen = Vec::new();
        for message in messages {
            match message {
                Message::Events { seq, events, .. } => seen.push((seq, events.len() as u64, 0)),
                Message::Interval { span, interval } => {
                    let resets = &interval.resets;
                    seen.push((span.seq, resets.events, resets.unlisted));
                }
            }
        }
        assert_eq!(
            seen,
            [
                (0, 3, 0),
                (0, 0, 0),
                (0, 7, 4), // the interval counts all, four of them without details
                (1, 0, 0),
                (1, 1, 1), // judged while the first interval still waited
            ]
        );
    }
}
