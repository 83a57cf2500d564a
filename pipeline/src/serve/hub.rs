//! Where the collector leaves what it has, and where clients get it: never waiting for each other
//! longer than it takes to copy some pointers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::About;
use super::openmetrics::Scrape;
use super::totals::Snapshot;

/// Summaries that a new page gets to begin with: 20 minutes of 10 s.
const SUMMARIES_KEPT: usize = 120;

/// Resets that a new page gets to begin with.
const RESETS_KEPT: usize = 100;

/// Messages that wait for one page; one that lets more come is let go, and may come again.
const QUEUE: usize = 512;

/// Pages that are fed at the same time.
pub(super) const PAGES_MAX: usize = 16;

/// What kind of message a page is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A summary; kept for those who come later.
    Summary,
    /// A reset; kept for those who come later.
    Reset,
    /// Anything else.
    Passing,
}

/// Meeting point of the collector and the clients.
pub(super) struct Hub {
    /// What is told about the run.
    pub(super) about: About,
    /// Whether there is a page to feed.
    pub(super) page: bool,
    begun: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sums: Arc<Snapshot>,
    listening: bool,
    /// What was said last about the interface.
    said: String,
    summaries: VecDeque<Bytes>,
    resets: VecDeque<Bytes>,
    pages: Vec<Sender<Bytes>>,
    pages_dropped: u64,
    /// The run is over; no page can be fed any more.
    over: bool,
}

impl State {
    /// Gives a message to all pages. Those that have gone, or do not keep up, are let go.
    fn send(&mut self, message: &Bytes) {
        let before = self.pages.len();
        let mut gone = 0;
        self.pages.retain(|page| {
            gone += usize::from(page.is_closed());
            page.try_send(message.clone()).is_ok()
        });
        self.pages_dropped += (before - self.pages.len()).saturating_sub(gone) as u64;
    }
}

impl Hub {
    /// A hub without results.
    pub(super) fn new(about: About, page: bool) -> Self {
        Self { about, page, begun: Instant::now(), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time since the start.
    pub(super) fn uptime(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Takes the sums as of now.
    pub(super) fn settle(&self, sums: Snapshot) {
        self.state().sums = Arc::new(sums);
    }

    /// Gives a message to all pages.
    pub(super) fn send(&self, kind: Kind, message: Bytes) {
        let mut state = self.state();
        state.send(&message);
        let (kept, most) = match kind {
            Kind::Summary => (&mut state.summaries, SUMMARIES_KEPT),
            Kind::Reset => (&mut state.resets, RESETS_KEPT),
            Kind::Passing => return,
        };
        if kept.len() == most {
            kept.pop_front();
        }
        kept.push_back(message);
    }

    /// Takes what was said about the interface, and whether it is listened on from now on.
    pub(super) fn tap(&self, listening: bool, said: String) {
        let mut state = self.state();
        state.listening = listening;
        state.said = said;
    }

    /// Whether the interface is listened on, and what was said about it last.
    pub(super) fn readiness(&self) -> (bool, String) {
        let state = self.state();
        (state.listening, state.said.clone())
    }

    /// A new page: what it has to know to begin with, after what `first` makes of the readiness as it is
    /// just then, and what follows. `None` when there are too many already, or nothing follows.
    pub(super) fn join(
        &self,
        first: impl FnOnce(bool, &str) -> Bytes,
    ) -> Option<(Bytes, Receiver<Bytes>)> {
        let (send, receive) = channel(QUEUE);
        let mut state = self.state();
        state.pages.retain(|page| !page.is_closed());
        if state.over || state.pages.len() >= PAGES_MAX {
            return None;
        }
        state.pages.push(send);
        let kept: Vec<Bytes> = state.resets.iter().chain(&state.summaries).cloned().collect();
        // Whatever changes from here on is sent.
        let first = first(state.listening, &state.said);
        drop(state);
        let mut begin = BytesMut::from(first.as_ref());
        kept.iter().for_each(|message| begin.extend_from_slice(message));
        Some((begin.freeze(), receive))
    }

    /// Everything that a scrape tells.
    pub(super) fn scrape(&self) -> Scrape {
        let uptime = self.uptime();
        let mut state = self.state();
        state.pages.retain(|page| !page.is_closed());
        Scrape {
            sums: Arc::clone(&state.sums),
            interface: self.about.interface.clone(),
            listening: state.listening,
            flows_max: self.about.flows,
            services_max: self.about.services,
            uptime,
            pages: state.pages.len(),
            pages_dropped: state.pages_dropped,
        }
    }

    /// The run is over: every page gets `message`, and then its end.
    pub(super) fn end(&self, message: &Bytes) {
        let mut state = self.state();
        state.send(message);
        state.listening = false;
        state.over = true;
        state.pages.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub() -> Hub {
        let about = About {
            interface: "eth0".into(),
            interval: Duration::from_secs(1),
            flows: 1,
            top: 1,
            services: 1,
        };
        Hub::new(about, true)
    }

    fn silent(_: bool, _: &str) -> Bytes {
        Bytes::new()
    }

    fn received(from: &mut Receiver<Bytes>) -> usize {
        std::iter::from_fn(|| from.try_recv().ok()).count()
    }

    #[test]
    fn a_page_that_does_not_keep_up_is_let_go_and_the_others_are_not() {
        let hub = hub();
        let (_, mut slow) = hub.join(silent).unwrap();
        let (_, mut quick) = hub.join(silent).unwrap();
        let mut got = 0;
        for _ in 0..QUEUE + 10 {
            hub.send(Kind::Passing, Bytes::from_static(b"x"));
            got += received(&mut quick);
        }
        assert_eq!(got, QUEUE + 10);
        let scrape = hub.scrape();
        assert_eq!((scrape.pages, scrape.pages_dropped), (1, 1));
        assert_eq!(received(&mut slow), QUEUE, "what was waiting for it, then its end");
        assert!(slow.is_closed());
    }

    #[test]
    fn a_page_misses_no_change_that_comes_while_it_joins() {
        let hub = hub();
        std::thread::scope(|scope| {
            let mut changing = None;
            let joined = hub.join(|listening, _| {
                let change = || {
                    hub.tap(true, String::new());
                    hub.send(Kind::Passing, Bytes::from_static(b"up"));
                };
                changing = Some(scope.spawn(change));
                Bytes::from(format!("{listening}"))
            });
            let (begin, mut next) = joined.unwrap();
            changing.unwrap().join().unwrap();
            assert_eq!((&begin[..], received(&mut next)), (&b"false"[..], 1));
        });
    }

    #[test]
    fn pages_are_limited_and_a_place_that_is_left_is_free_again() {
        let hub = hub();
        let mut pages: Vec<_> = (0..PAGES_MAX).map(|_| hub.join(silent).unwrap()).collect();
        assert!(hub.join(silent).is_none());
        pages.pop();
        assert!(hub.join(silent).is_some());
        hub.end(&Bytes::new());
        pages.clear();
        assert!(hub.join(silent).is_none(), "the run is over");
        assert_eq!(hub.scrape().pages_dropped, 0);
    }

    #[test]
    fn who_comes_late_gets_the_latest_and_no_more_than_is_kept() {
        let hub = hub();
        for number in 0..SUMMARIES_KEPT + 5 {
            hub.send(Kind::Summary, Bytes::from(format!("s{number};")));
            hub.send(Kind::Reset, Bytes::from(format!("r{number};")));
            hub.send(Kind::Passing, Bytes::from_static(b"p;"));
        }
        let (begin, mut next) = hub.join(|_, _| Bytes::from_static(b"hello;")).unwrap();
        let text = String::from_utf8(begin.to_vec()).unwrap();
        assert!(
            text.starts_with(&format!("hello;r{};", SUMMARIES_KEPT + 5 - RESETS_KEPT)),
            "{text}"
        );
        assert!(text.ends_with(&format!("s{};", SUMMARIES_KEPT + 4)), "{text}");
        assert_eq!(text.split_terminator(';').count(), 1 + RESETS_KEPT + SUMMARIES_KEPT);
        hub.send(Kind::Summary, Bytes::from_static(b"s;"));
        assert_eq!(received(&mut next), 1);
    }
}
