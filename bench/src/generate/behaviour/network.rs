//! Group 5: the network in between loses what it should carry.

use resetscope_core::judge::cause::Subcause as Sub;

use super::spoken;
use crate::generate::cast::Cast;
use crate::generate::flow::Step;
use crate::generate::host::{CLIENT, MS, Parties, S, SERVER, Stack, US};
use crate::generate::packet::{Packet, flag};
use crate::generate::payload::{Opening, Payload};
use crate::generate::reset::Why;
use crate::generate::talk::{Sent, Talk};
use crate::generate::truth::Label;

const KEEPALIVE: Label = Label::new("24-keepalive-expiry", Sub::KeepaliveExpired, &[]);
const GAVE_UP: Label =
    Label::new("101-windows-gave-up", Sub::RetransmissionGaveUp, &[Sub::AbortDuringLoss]);
const SILENT: Label =
    Label::new("25-retransmissions-exhausted", Sub::SilentGiveUp, &[Sub::HalfOpen]);
const HANDSHAKE: Label =
    Label::new("53-lost-handshake-ack", Sub::HandshakeLoss, &[Sub::HalfOpen, Sub::Overload]);
const ABORT: Label = Label::new("45-abort-during-loss", Sub::AbortDuringLoss, &[Sub::Abort]);

/// Retransmits `data` until `count` copies have been lost; the clock then stands at the last one.
fn in_vain(t: &mut Talk<'_>, data: &Sent, count: u64, first: u64) {
    let mut wait = first + t.flow.rtt();
    for _ in 0..count {
        t.flow.now += wait;
        t.again(t.flow.now, data);
        wait *= 2;
    }
}

/// The server answers, and nothing of it arrives.
fn answer_in_vain(t: &mut Talk<'_>) -> Sent {
    t.settle();
    t.ask();
    t.settle();
    let len = t.dice().between(300, 1_400) as u16;
    t.data(SERVER, Opening::HttpResponse, len)
}

/// 5.1: keepalive probes get no answer because the way back is broken.
pub(in crate::generate) fn keepalive(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        t.settle();
        t.pause(2 * S, 12 * S);
        let prober = t.dice().choose(&[SERVER, SERVER, CLIENT], SERVER);
        let interval = t.dice().choose(&[1, 1, 2, 5], 1) * S;
        for _ in 0..t.dice().between(2, 5) {
            let probe = t.build(prober, flag::ACK, Payload::default());
            let seq = probe.seq.wrapping_sub(1);
            t.transmit(t.flow.now, Packet { seq, ..probe });
            t.flow.now += interval;
        }
        t.abort(prober, Why::new(&KEEPALIVE, "TCP_KEEPALIVE_TIMEOUT"));
    }
    let parties = cast.pair();
    spoken(cast, &parties, end);
}

/// 5.2: Windows retransmits in vain, gives up, and says so.
pub(in crate::generate) fn windows_gave_up(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        let data = answer_in_vain(t);
        in_vain(t, &data, 5, 300 * MS);
        t.flow.now += 9 * S;
        t.abort(SERVER, Why::new(&GAVE_UP, ""));
    }
    let mut parties: Parties = cast.pair();
    for _ in 0..60 {
        if parties.hosts[SERVER].stack == Stack::Windows {
            break;
        }
        parties = cast.pair();
    }
    let host = &mut parties.hosts[SERVER];
    if host.stack == Stack::Linux {
        // No Windows server among the few that there are: this one is.
        *host = crate::generate::host::Host {
            stack: Stack::Windows,
            window_scale: 8,
            timestamps: false,
            ..*host
        };
    }
    spoken(cast, &parties, end);
}

/// 5.3: the server's retransmissions get no answer and it gives up without a word; the client speaks
/// later, when the path is whole again.
pub(in crate::generate) fn silent_give_up(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        let data = answer_in_vain(t);
        let count = t.dice().between(3, 5);
        in_vain(t, &data, count, 200 * MS);
        t.pause(2 * S, 9 * S);
        let len = t.dice().between(60, 400) as u16;
        let request = t.data(CLIENT, Opening::HttpRequest, len);
        t.refuse(&request, Why::new(&SILENT, "NO_SOCKET"));
    }
    let parties = cast.pair();
    spoken(cast, &parties, end);
}

/// 5.4: the handshake's last acknowledgement is lost, and again, until the server has given up.
pub(in crate::generate) fn handshake_loss(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        let mut answer = t.build(SERVER, flag::SYN | flag::ACK, Payload::default());
        answer.seq = answer.seq.wrapping_sub(1);
        let repeated = t.transmit(t.flow.now + S, answer);
        t.flow.now = repeated.arrives_at + 5 * US;
        t.ack(CLIENT);
        t.pause(2_500 * MS, 5 * S);
        let len = t.dice().between(60, 400) as u16;
        let request = t.data(CLIENT, Opening::HttpRequest, len);
        t.refuse(&request, Why::new(&HANDSHAKE, "NO_SOCKET"));
    }
    let parties = cast.pair();
    cast.tcp(0, &parties, &[Step::Open, Step::End(end)]);
}

/// 5.5: everything is lost; the application gives up while its data are retransmitted.
pub(in crate::generate) fn abort_during_loss(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        let data = answer_in_vain(t);
        let count = t.dice().between(2, 4);
        in_vain(t, &data, count, 200 * MS);
        t.pause(100 * MS, 400 * MS);
        t.abort(SERVER, Why::new(&ABORT, "TCP_STATE"));
    }
    let parties = cast.pair();
    spoken(cast, &parties, end);
}
