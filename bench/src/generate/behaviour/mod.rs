//! How connections live and die: one function for each way, and how common each is.
//!
//! The forms follow what kernels and tools do (Linux 6.18 in the kernel lab, `bench/lab`), not what
//! an analyser expects of them.

mod application;
mod benign;
mod closed;
mod firewall;
mod gone;
mod kill;
mod network;
pub(super) mod ordinary;

use super::cast::Cast;
use super::dice::Dice;
use super::flow::Step;
use super::host::{MS, Parties};
use super::talk::Talk;

pub(super) use closed::port_scan;

/// A way to end in a reset.
pub(super) struct Ending {
    /// How many connections end so, relative to the others.
    pub(super) weight: u32,
    /// Connections that are reset at a time.
    pub(super) group: u32,
    /// Begins it.
    pub(super) begin: fn(&mut Cast<'_>),
}

const fn ending(weight: u32, group: u32, begin: fn(&mut Cast<'_>)) -> Ending {
    Ending { weight, group, begin }
}

/// How connections that are reset come to it. No survey gives shares for all of these, so the weights
/// are estimates; that clients which have what they want are the most frequent, as Arlitt and
/// Williamson found (CCR 35(1), 2005), and devices and administrators rare.
pub(super) const ENDINGS: [Ending; 47] = [
    ending(500, 1, benign::after_close),
    ending(1_700, 1, benign::abort_after_exchange),
    ending(800, 1, benign::data_crosses_fin),
    ending(120, 1, benign::port_reuse),
    ending(60, 1, benign::inexact),
    ending(700, 1, benign::half_open_probe),
    ending(1_000, 1, closed::no_listener),
    ending(400, 2, closed::service_down),
    ending(300, 30, closed::port_scan),
    ending(120, 1, closed::no_backend),
    ending(400, 1, gone::half_open),
    ending(400, 1, gone::data_after_close),
    ending(180, 1, gone::evicted),
    ending(120, 1, gone::late_syn_ack),
    ending(60, 1, gone::nat_bypass),
    ending(100, 8, gone::backscatter),
    ending(250, 1, firewall::syn_rejected),
    ending(150, 1, firewall::midstream),
    ending(120, 1, firewall::content),
    ending(80, 1, firewall::race),
    ending(40, 1, benign::guessed),
    ending(80, 4, firewall::no_session),
    ending(60, 1, firewall::self_declared),
    ending(350, 1, application::unread),
    ending(120, 1, application::early_response),
    ending(200, 1, application::unanswered),
    ending(150, 1, application::in_flight),
    ending(160, 5, application::killed),
    ending(150, 1, application::refused_request),
    ending(90, 4, application::unaccepted),
    ending(60, 1, application::overflow),
    ending(600, 1, application::client_abort),
    ending(160, 1, application::client_closed),
    ending(100, 1, application::client_timeout),
    ending(120, 1, application::tls_failure),
    ending(120, 1, network::keepalive),
    ending(60, 1, network::windows_gave_up),
    ending(120, 1, network::silent_give_up),
    ending(60, 1, network::handshake_loss),
    ending(100, 1, network::abort_during_loss),
    ending(90, 5, kill::cohort),
    ending(30, 1, kill::single),
    ending(60, 1, kill::tcpkill),
    ending(40, 1, kill::killcx),
    ending(110, 1, kill::idle_timer),
    ending(80, 4, kill::drain),
    ending(60, 5, gone::flushed),
];

/// One to three short exchanges in quick succession.
fn some_exchanges(dice: &mut Dice) -> Step {
    let left = dice.between(1, 3) as u16;
    Step::Exchanges { left, response: 1_800, think: 60 * MS }
}

/// A connection that has some exchanges before it ends.
fn spoken(cast: &mut Cast<'_>, parties: &Parties, end: fn(&mut Talk<'_>)) {
    let steps = [Step::Open, some_exchanges(cast.dice), Step::End(end)];
    cast.tcp(0, parties, &steps);
}
