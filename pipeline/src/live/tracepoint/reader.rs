//! The thread that takes the kernel's records off, and finds out which process a thread is of.

use std::fs;
use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::accounts::{Account, Accounts, Process, Record};
use super::instance::Pipe;
use super::line::{self, Line, Sent, Thread};
use crate::live::clock::{Clock, nanoseconds};
use crate::live::notice::Notice;

/// Time between two looks at the pipe. The kernel keeps some thousand records meanwhile.
const ROUND: Duration = Duration::from_millis(25);

/// The longest line that is looked at, in bytes; the kernel's have some 250.
const LINE_MAX: usize = 4096;

/// Losses are told this often at most.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// What reads the pipe.
pub(in crate::live) struct Reader {
    pipe: Pipe,
    accounts: Arc<Accounts>,
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
    lost: u64,
    told: Option<Instant>,
}

impl Reader {
    pub(super) fn new(pipe: Pipe, accounts: Arc<Accounts>) -> Self {
        Self { pipe, accounts, rest: Vec::new(), lost: 0, told: None }
    }

    /// Reads until `stop` is set, and then what there is until then.
    pub(in crate::live) fn run(
        mut self,
        stop: &AtomicBool,
        clock: &Clock,
        notify: &(dyn Fn(&Notice) + Sync),
    ) {
        loop {
            let last = stop.load(Ordering::Relaxed);
            let through_ns = clock.now_ns();
            self.accounts.begin_round();
            if let Err(error) = self.take_off(clock, stop) {
                notify(&Notice::ReasonsEnded { reason: error.to_string() });
                break;
            }
            self.accounts.end_round(through_ns);
            self.tell_losses(last, notify);
            if last {
                break;
            }
            thread::sleep(ROUND);
        }
        self.accounts.end();
    }

    /// Takes off what there is.
    fn take_off(&mut self, clock: &Clock, stop: &AtomicBool) -> std::io::Result<()> {
        let times = Times { ahead_s: tai_ahead_s(), shift_ns: clock.stamps().shift_ns };
        let mut buffer = [0; 1 << 14];
        let stopped = stop.load(Ordering::Relaxed);
        loop {
            match self.pipe.read(&mut buffer) {
                // The end is not for good: the kernel tells it while tracing is switched off.
                Ok(0) => return Ok(()),
                Ok(count) => self.take(buffer.get(..count).unwrap_or_default(), times),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            // As many resets as can be read could keep this going for ever.
            if !stopped && stop.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }

    fn take(&mut self, text: &[u8], times: Times) {
        for part in text.split_inclusive(|byte| *byte == b'\n') {
            if self.rest.len() + part.len() <= LINE_MAX {
                self.rest.extend_from_slice(part);
            }
            if !part.ends_with(b"\n") {
                return;
            }
            match line::read(&self.rest) {
                Line::Reset(sent) => self.accounts.add(record(sent, times)),
                Line::Lost(count) => self.lost = self.lost.saturating_add(count),
                Line::Other => {}
            }
            self.rest.clear();
        }
    }

    fn tell_losses(&mut self, at_once: bool, notify: &(dyn Fn(&Notice) + Sync)) {
        self.lost = self.lost.saturating_add(self.accounts.take_lost());
        let due = at_once || self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY);
        if self.lost > 0 && due {
            notify(&Notice::ReasonsLost { count: std::mem::take(&mut self.lost) });
            self.told = Some(Instant::now());
        }
    }
}

/// What makes the tap's time out of the kernel's stamp.
#[derive(Clone, Copy)]
struct Times {
    /// Seconds that the stamps are ahead of the wall clock.
    ahead_s: i64,
    /// What the tap adds to the wall clock, in nanoseconds.
    shift_ns: u64,
}

impl Times {
    fn wall_ns(self, tai_ns: u64) -> u64 {
        let ahead_ns = self.ahead_s.saturating_mul(1_000_000_000).max(-i64::MAX);
        tai_ns.saturating_add_signed(-ahead_ns).saturating_add(self.shift_ns)
    }
}

/// Seconds that the clock of atomic time is ahead of the wall clock: 37 where that is maintained,
/// else mostly 0.
fn tai_ahead_s() -> i64 {
    let tai = rustix::time::clock_gettime(rustix::time::ClockId::Tai);
    let wall_ns = SystemTime::UNIX_EPOCH.elapsed().map_or(0, nanoseconds);
    let tai_ns = tai.tv_sec.saturating_mul(1_000_000_000).saturating_add(tai.tv_nsec);
    // Between the two readings less than half a second has passed.
    tai_ns.saturating_sub_unsigned(wall_ns).saturating_add(500_000_000).div_euclid(1_000_000_000)
}

fn record(sent: Sent, times: Times) -> Record {
    let Sent { clock_ns, from, to, state, reason, thread } = sent;
    let account = Account { reason, state, process: thread.and_then(process) };
    Record { time_ns: times.wall_ns(clock_ns), from, to, account }
}

/// The process of a thread, if that is still there: programs name their threads as they like. Else
/// the thread itself, if the kernel knew its name.
fn process(thread: Thread) -> Option<Process> {
    let Thread { name, number } = thread;
    let now = name_of(number);
    let same = now.is_some() && (name.is_none() || name == now);
    let leader = if same { leader_of(number) } else { None };
    match leader.and_then(|leader| Some((leader, name_of(leader)?))) {
        Some((number, name)) => Some(Process { name, number }),
        None => name.map(|name| Process { name, number }),
    }
}

fn name_of(thread: u32) -> Option<Box<str>> {
    let name = fs::read(format!("/proc/{thread}/comm")).ok()?;
    // As the names of threads are read from the pipe.
    let name = String::from_utf8_lossy(name.strip_suffix(b"\n").unwrap_or(&name)).into_owned();
    Some(name.rsplit('\n').next().unwrap_or_default().trim().into())
}

fn leader_of(thread: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn atomic_time_is_whole_seconds_ahead() {
        for (ahead_s, shift_ns, tai_ns, want) in [
            (0, 0, 5_000_000_000, 5_000_000_000),
            (37, 0, 40_000_000_001, 3_000_000_001),
            (37, 10, 40_000_000_001, 3_000_000_011),
            (-1, 0, 5, 1_000_000_005),
            (37, 0, 5, 0),
        ] {
            assert_eq!(Times { ahead_s, shift_ns }.wall_ns(tai_ns), want);
        }
    }

    #[test]
    fn a_thread_is_told_by_its_process_as_long_as_that_is_there() {
        let own = std::process::id();
        let process_name = name_of(own).unwrap();
        let named = |name: &str, number| Thread { name: Some(name.into()), number };
        std::thread::Builder::new()
            .name("a-thread".into())
            .spawn(move || {
                let number = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
                let of_own = Some(Process { name: process_name, number: own });
                assert_eq!(process(named("a-thread", number)), of_own);
                assert_eq!(process(Thread { name: None, number }), of_own, "forgotten, yet there");
                let other = Some(Process { name: "earlier".into(), number });
                assert_eq!(process(named("earlier", number)), other, "the number went to another");
            })
            .unwrap()
            .join()
            .unwrap();
        let gone = Some(Process { name: "gone".into(), number: u32::MAX });
        assert_eq!(process(named("gone", u32::MAX)), gone);
        assert_eq!(process(Thread { name: None, number: u32::MAX }), None);
    }
}
