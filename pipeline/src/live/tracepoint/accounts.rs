//! What the kernel said of the latest resets, by who sent them to whom.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use resetscope_core::judge::event::Event;

/// Accounts that are kept; at most 200 bytes each.
const KEPT: usize = 1 << 16;

/// A reset comes out as an event well within this time, in nanoseconds. So long an account that no
/// event has taken keeps its place.
const NEEDED_NS: u64 = 10_000_000_000;

/// Between the kernel's decision and the time stamp of the frame, at most, in nanoseconds.
const QUEUED_NS: u64 = 100_000_000;

/// The same for an account that names no receiver.
const QUEUED_UNNAMED_NS: u64 = 1_000_000;

/// How much later than the frame a decision may seem to be, in nanoseconds: both clocks are read
/// without a lock.
const EARLY_NS: u64 = 50_000;

/// Accounts of one sender that are looked through.
const LOOKED_AT: usize = 1 << 14;

/// How long to wait for the reader.
const PATIENCE: Duration = Duration::from_secs(1);

/// No receiver, or no address that the socket is bound to.
const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// The kernel's account of a reset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its reason, in its own word.
    pub reason: Box<str>,
    /// The state of the socket without `TCP_`; empty if there was none.
    pub state: Box<str>,
    /// Who was at work on the socket, if somebody was.
    pub process: Option<Process>,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its name.
    pub name: Box<str>,
    /// Its number.
    pub number: u32,
}

/// An account with what it is found by.
pub(crate) struct Record {
    /// When, in nanoseconds since 1970-01-01 UTC.
    pub(crate) time_ns: u64,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) account: Account,
}

impl Record {
    fn key(&self) -> (SocketAddr, SocketAddr) {
        (self.from, self.to)
    }
}

/// The latest accounts, shared by the reader and whoever writes events.
#[derive(Default)]
pub struct Accounts {
    shelf: Mutex<Shelf>,
    round: Condvar,
}

impl Accounts {
    /// The account of the event's first RST, if the kernel gave one. Each is given out once.
    ///
    /// Waits for the reader, should it not have come so far yet: at most some hundredths of a
    /// second, and only for a reset that has just been sent.
    #[must_use]
    pub fn of(&self, event: &Event) -> Option<Account> {
        let end = |side| SocketAddr::new(event.key.ip(side), event.key.port(side));
        self.find(event.time_ns, end(event.side), end(event.side ^ 1))
    }

    fn find(&self, time_ns: u64, from: SocketAddr, to: SocketAddr) -> Option<Account> {
        let mut shelf = self.open();
        if shelf.through_ns < time_ns.saturating_add(EARLY_NS) {
            // A round that begins now sees all that the kernel wrote until now.
            let wanted = shelf.rounds_begun + 1;
            shelf = self
                .round
                .wait_timeout_while(shelf, PATIENCE, |shelf| {
                    !shelf.ended && shelf.rounds_done < wanted
                })
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let unbound = SocketAddr::new(NOBODY.ip(), from.port());
        shelf
            .take((from, to), time_ns, QUEUED_NS)
            .or_else(|| shelf.take((from, NOBODY), time_ns, QUEUED_UNNAMED_NS))
            .or_else(|| shelf.take((unbound, NOBODY), time_ns, QUEUED_UNNAMED_NS))
    }

    /// The reader begins to take off what there is.
    pub(super) fn begin_round(&self) {
        self.open().rounds_begun += 1;
    }

    /// A record.
    pub(crate) fn add(&self, record: Record) {
        self.open().add(record);
    }

    /// The reader has everything from before `through_ns`.
    pub(super) fn end_round(&self, through_ns: u64) {
        let mut shelf = self.open();
        shelf.through_ns = through_ns;
        shelf.rounds_done = shelf.rounds_begun;
        drop(shelf);
        self.round.notify_all();
    }

    /// No more will come.
    pub(crate) fn end(&self) {
        self.open().ended = true;
        self.round.notify_all();
    }

    /// Accounts that found no place, since the last call.
    pub(super) fn take_lost(&self) -> u64 {
        std::mem::take(&mut self.open().lost)
    }

    fn open(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A record, and where the one before it is that has the same key.
struct Kept {
    record: Record,
    before: Option<u64>,
    used: bool,
}

/// The records in the order in which they came, numbered from 0, and for each key the latest.
#[derive(Default)]
struct Shelf {
    records: VecDeque<Kept>,
    /// The number of the first that is kept.
    first: u64,
    latest: HashMap<(SocketAddr, SocketAddr), u64>,
    through_ns: u64,
    rounds_begun: u64,
    rounds_done: u64,
    ended: bool,
    lost: u64,
}

impl Shelf {
    /// Takes a record, if there is room or the oldest can go. Those that are there already come
    /// first: in a flood some events then find theirs, and not none.
    fn add(&mut self, record: Record) {
        if self.records.len() >= KEPT && !self.remove_first(record.time_ns) {
            self.lost += 1;
            return;
        }
        let number = self.first + self.records.len() as u64;
        let before = self.latest.insert(record.key(), number);
        self.records.push_back(Kept { record, before, used: false });
    }

    /// Removes the oldest, unless it may still be asked for.
    fn remove_first(&mut self, now_ns: u64) -> bool {
        let done =
            |kept: &Kept| kept.used || now_ns.saturating_sub(kept.record.time_ns) >= NEEDED_NS;
        let Some(kept) = self.records.front().filter(|kept| done(kept)) else { return false };
        let key = kept.record.key();
        if self.latest.get(&key) == Some(&self.first) {
            self.latest.remove(&key);
        }
        self.records.pop_front();
        self.first += 1;
        true
    }

    /// The unused account under `key` that is nearest to the time, if it is near enough.
    fn take(
        &mut self,
        key: (SocketAddr, SocketAddr),
        time_ns: u64,
        queued_ns: u64,
    ) -> Option<Account> {
        let mut best: Option<(u64, usize)> = None;
        let mut next = self.latest.get(&key).copied();
        for _ in 0..LOOKED_AT {
            let Some(index) = next.and_then(|number| number.checked_sub(self.first)) else { break };
            let index = usize::try_from(index).ok()?;
            let Some(kept) = self.records.get(index) else { break };
            let sent_ns = kept.record.time_ns;
            // They came in the order of time.
            if sent_ns.saturating_add(queued_ns) < time_ns {
                break;
            }
            let apart_ns = sent_ns.abs_diff(time_ns);
            let possible = !kept.used && sent_ns <= time_ns.saturating_add(EARLY_NS);
            if possible && best.is_none_or(|(least, _)| apart_ns < least) {
                best = Some((apart_ns, index));
            }
            next = kept.before;
        }
        let kept = self.records.get_mut(best?.1)?;
        kept.used = true;
        Some(kept.record.account.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const MS: u64 = 1_000_000;

    fn end(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn record(time_ns: u64, from: &str, to: &str, reason: &str) -> Record {
        let account = Account { reason: reason.into(), state: "".into(), process: None };
        Record { time_ns, from: end(from), to: end(to), account }
    }

    /// Accounts that wait for nobody.
    fn accounts(records: impl IntoIterator<Item = Record>) -> Accounts {
        let accounts = Accounts::default();
        records.into_iter().for_each(|record| accounts.add(record));
        accounts.end();
        accounts
    }

    fn reason(of: &Accounts, time_ns: u64, from: &str, to: &str) -> Option<String> {
        of.find(time_ns, end(from), end(to)).map(|account| account.reason.into())
    }

    #[test]
    fn an_account_goes_with_the_reset_that_it_fits() {
        for (from, to, sent_ns, want, why) in [
            ("1.1.1.1:80", "2.2.2.2:9", 10 * SECOND, true, "the same moment"),
            ("1.1.1.1:80", "2.2.2.2:9", 10 * SECOND - 99 * MS, true, "it waited in a queue"),
            ("1.1.1.1:80", "2.2.2.2:9", 10 * SECOND - 101 * MS, false, "an earlier one"),
            ("1.1.1.1:80", "2.2.2.2:9", 10 * SECOND + 40_000, true, "clocks read apart"),
            ("1.1.1.1:80", "2.2.2.2:9", 10 * SECOND + MS, false, "a later one"),
            ("2.2.2.2:9", "1.1.1.1:80", 10 * SECOND, false, "the other direction"),
            ("1.1.1.1:80", "2.2.2.2:8", 10 * SECOND, false, "another connection"),
            ("1.1.1.1:80", "0.0.0.0:0", 10 * SECOND - MS, true, "its listening socket"),
            ("0.0.0.0:80", "0.0.0.0:0", 10 * SECOND - MS, true, "one bound to no address"),
            ("1.1.1.2:80", "0.0.0.0:0", 10 * SECOND, false, "one bound to another address"),
            ("0.0.0.0:81", "0.0.0.0:0", 10 * SECOND, false, "one of another port"),
            ("0.0.0.0:80", "0.0.0.0:0", 10 * SECOND - 2 * MS, false, "unnamed, and too early"),
        ] {
            let accounts = accounts([record(sent_ns, from, to, "R")]);
            let found = reason(&accounts, 10 * SECOND, "1.1.1.1:80", "2.2.2.2:9");
            assert_eq!(found.is_some(), want, "{why}");
        }
    }

    #[test]
    fn of_several_the_nearest_is_taken_and_none_twice() {
        let at = |time_ns, reason| record(time_ns, "0.0.0.0:80", "0.0.0.0:0", reason);
        let accounts = accounts([
            at(SECOND, "FIRST"),
            at(SECOND + MS / 2, "SECOND"),
            at(2 * SECOND, "OTHER"),
            record(SECOND + MS / 2, "1.1.1.1:80", "3.3.3.3:3", "NAMED"),
        ]);
        let find = |time_ns, to| reason(&accounts, time_ns, "1.1.1.1:80", to);
        assert_eq!(find(SECOND + MS / 2, "2.2.2.2:9").as_deref(), Some("SECOND"));
        assert_eq!(
            find(SECOND + MS / 2, "3.3.3.3:3").as_deref(),
            Some("NAMED"),
            "named goes first"
        );
        assert_eq!(find(SECOND + MS / 2, "2.2.2.2:8").as_deref(), Some("FIRST"));
        assert_eq!(find(SECOND + MS / 2, "2.2.2.2:7"), None);
    }

    #[test]
    fn memory_is_bounded_and_what_finds_no_place_is_counted() {
        let step_ns = 2 * NEEDED_NS / KEPT as u64;
        let (from, other) = ("1.1.1.1:80", "1.1.1.1:81");
        let spread = (0..KEPT as u64 + 100).map(|n| record(n * step_ns, from, "2.2.2.2:9", "R"));
        let slow = accounts(spread);
        assert_eq!(slow.take_lost(), 0, "the oldest went when nobody would ask any more");
        let first = record(1, from, "2.2.2.2:9", "FIRST");
        let flood = (2..KEPT as u64 + 100).map(|n| record(n, other, "2.2.2.2:9", "R"));
        let flood = accounts(std::iter::once(first).chain(flood));
        assert_eq!(flood.take_lost(), 99);
        assert_eq!(flood.take_lost(), 0, "told once");
        assert_eq!(reason(&flood, 1, from, "2.2.2.2:9").as_deref(), Some("FIRST"));
        flood.add(record(KEPT as u64 + 100, other, "2.2.2.2:9", "R"));
        assert_eq!(flood.take_lost(), 0, "a place became free");
        let shelf = flood.open();
        assert_eq!((shelf.records.len(), shelf.latest.len()), (KEPT, 1));
    }

    #[test]
    fn an_event_that_comes_out_at_once_waits_for_the_reader() {
        let accounts = Accounts::default();
        std::thread::scope(|scope| {
            let (about_to, told) = std::sync::mpsc::channel();
            let accounts = &accounts;
            let found = scope.spawn(move || {
                about_to.send(()).unwrap();
                reason(accounts, SECOND, "1.1.1.1:80", "2.2.2.2:9")
            });
            told.recv().unwrap();
            accounts.begin_round();
            accounts.add(record(SECOND, "1.1.1.1:80", "2.2.2.2:9", "LATE"));
            accounts.end_round(0);
            while !found.is_finished() {
                accounts.begin_round();
                accounts.end_round(0);
                std::thread::yield_now();
            }
            assert_eq!(found.join().unwrap().as_deref(), Some("LATE"));
        });
    }
}
