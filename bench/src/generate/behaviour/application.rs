//! Group 4: the application's own doing.

use resetscope_core::judge::cause::Subcause as Sub;

use super::closed::come_back;
use super::{some_exchanges, spoken};
use crate::generate::cast::Cast;
use crate::generate::flow::Step;
use crate::generate::host::{CLIENT, MS, S, SERVER, US};
use crate::generate::packet::flag;
use crate::generate::payload::Opening;
use crate::generate::reset::Why;
use crate::generate::talk::{Sent, Talk};
use crate::generate::truth::Label;

const UNREAD: Label =
    Label::new("13-close-unread", Sub::UnreadData, &[Sub::Abort, Sub::RefusedRequest]);
const EARLY: Label =
    Label::new("14-respond-then-unread", Sub::UnreadData, &[Sub::AbortAfterExchange, Sub::Abort]);
const EARLY_ECHO: Label = Label::new(
    "14-respond-then-unread",
    Sub::AfterReset,
    &[Sub::UnreadData, Sub::AbortAfterExchange],
);
const UNANSWERED: Label =
    Label::new("55-abort-unanswered", Sub::Abort, &[Sub::UnreadData, Sub::RefusedRequest]);
const IN_FLIGHT: Label = Label::new("16-abort-in-flight", Sub::Abort, &[Sub::AbortDuringLoss]);
const IN_FLIGHT_ECHO: Label = Label::new("16-abort-in-flight", Sub::AfterReset, &[Sub::Abort]);
const KILLED: Label = Label::new("18-server-killed", Sub::ProcessExit, &[Sub::UnreadData]);
const REFUSED: Label = Label::new(
    "48-refused-request",
    Sub::RefusedRequest,
    &[Sub::UnreadData, Sub::Abort, Sub::TlsFailure],
);
const UNACCEPTED: Label = Label::new(
    "19-unaccepted-children",
    Sub::Overload,
    &[Sub::Abort, Sub::ProcessExit, Sub::UnreadData, Sub::NoBackend],
);
const OVERFLOW: Label = Label::new("20-accept-queue-full", Sub::Overload, &[Sub::HalfOpen]);
const CLIENT_ABORT: Label = Label::new("22-client-abort", Sub::ClientGaveUp, &[Sub::UnreadData]);
const CLIENT_ABORT_ECHO: Label =
    Label::new("22-client-abort", Sub::AfterReset, &[Sub::ClientGaveUp]);
const CLIENT_CLOSED: Label = Label::new(
    "23-client-gone-while-streaming",
    Sub::ClientGaveUp,
    &[Sub::LateSegmentAfterClose, Sub::DataAfterClose],
);
const CLIENT_CLOSED_ECHO: Label = Label::new(
    "23-client-gone-while-streaming",
    Sub::ClientGaveUp,
    &[Sub::LateSegmentAfterClose, Sub::DataAfterClose, Sub::AfterReset],
);
const TIMEOUT: Label = Label::new("56-client-timeout", Sub::ClientGaveUp, &[Sub::Abort]);
const TLS: Label =
    Label::new("59-tls-failure", Sub::TlsFailure, &[Sub::RefusedRequest, Sub::Abort]);

/// The client asks; the kernel acknowledges, the program reads nothing.
fn ask_in_vain(t: &mut Talk<'_>, opening: Opening) {
    let len = t.dice().between(120, 900) as u16;
    let request = t.data(CLIENT, opening, len);
    t.take(&request);
    t.pause(4 * US, 40 * US);
    t.ack(SERVER);
}

/// Segments of data, one behind the other.
fn burst(t: &mut Talk<'_>, side: usize, count: u64) -> Vec<Sent> {
    let (gap, mss) = (t.flow.parties.gap, t.flow.mss());
    (0..count)
        .map(|_| {
            let sent = t.say(side, flag::ACK, Opening::Plain, mss);
            t.flow.now += gap;
            sent
        })
        .collect()
}

/// 4.1: the server closes without having read the request.
pub(in crate::generate) fn unread(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        ask_in_vain(t, Opening::HttpRequest);
        t.pause(30 * MS, 300 * MS);
        t.abort(SERVER, Why::new(&UNREAD, "TCP_ABORT_ON_CLOSE"));
    }
    let parties = cast.pair();
    if cast.dice.chance(0.5) {
        spoken(cast, &parties, end);
    } else {
        cast.tcp(0, &parties, &[Step::Open, Step::End(end)]);
    }
}

/// 4.1: the server answers early and closes while part of the upload is unread.
pub(in crate::generate) fn early_response(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        let upload = burst(t, CLIENT, 10);
        let read = t.dice().between(2, 9) as usize;
        for (place, sent) in upload.iter().take(read).enumerate() {
            t.take(sent);
            if place % 2 == 1 {
                t.flow.now += 3 * US;
                t.ack(SERVER);
            }
        }
        t.pause(20 * US, 300 * US);
        let now = t.flow.now;
        for sent in upload.iter().skip(read).take_while(|it| it.arrives_at < now) {
            t.end_mut(SERVER).rcv = sent.packet.end();
        }
        let received = t.end(SERVER).rcv;
        t.data(SERVER, Opening::HttpResponse, 320);
        t.flow.now += 60 * US;
        t.abort(SERVER, Why::new(&EARLY, "TCP_ABORT_ON_CLOSE"));
        for sent in upload.iter().filter(|it| it.packet.seq.wrapping_sub(received) < 1 << 30) {
            t.refuse(sent, Why::after(&EARLY_ECHO, "NO_SOCKET"));
        }
    }
    let parties = cast.pair();
    cast.tcp(0, &parties, &[Step::Open, Step::End(end)]);
}

/// 4.2: the server has read the request and aborts instead of answering.
pub(in crate::generate) fn unanswered(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        ask_in_vain(t, Opening::HttpRequest);
        t.pause(50 * MS, 400 * MS);
        t.abort(SERVER, Why::new(&UNANSWERED, "TCP_STATE"));
    }
    let parties = cast.pair();
    spoken(cast, &parties, end);
}

/// 4.2: the server aborts while its own answer is still unacknowledged.
pub(in crate::generate) fn in_flight(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        ask_in_vain(t, Opening::HttpRequest);
        t.pause(200 * US, 3 * MS);
        let answer_len = t.dice().between(3, 7);
        let answer = burst(t, SERVER, answer_len);
        let patience = t.flow.rtt() / 3;
        let given_up = t.flow.now + t.dice().below(patience);
        let mut acknowledged = Vec::new();
        for sent in answer.iter().skip(1).step_by(2) {
            t.take(sent);
            t.flow.now += 3 * US;
            acknowledged.push(t.ack(CLIENT));
        }
        let last = t.flow.now;
        t.flow.now = given_up;
        t.abort(SERVER, Why::new(&IN_FLIGHT, "TCP_STATE"));
        for ack in acknowledged.iter().filter(|it| it.arrives_at > given_up) {
            t.refuse(ack, Why::after(&IN_FLIGHT_ECHO, "NO_SOCKET"));
        }
        t.flow.now = t.flow.now.max(last);
    }
    let parties = cast.pair();
    cast.tcp(0, &parties, &[Step::Open, Step::End(end)]);
}

/// 4.3: `kill -9` of a server with connections, some with unread data; then clients come back.
pub(in crate::generate) fn killed(cast: &mut Cast<'_>) {
    fn unread(t: &mut Talk<'_>) {
        t.abort(SERVER, Why::new(&KILLED, "TCP_ABORT_ON_CLOSE"));
    }
    let service = cast.own_service();
    let after = cast.dice.between(5 * S, 7 * S);
    let moment = cast.now + after;
    for number in 0..5 {
        let parties = cast.another(&service);
        let at = moment + number * 18 * US;
        let mut steps = vec![Step::Open, some_exchanges(cast.dice)];
        if number % 2 == 0 {
            let asked = moment - cast.dice.between(400 * MS, 900 * MS);
            steps.push(Step::Until(asked));
            steps.push(Step::End(|t| ask_in_vain(t, Opening::HttpRequest)));
            steps.extend([Step::Until(at), Step::End(unread)]);
        } else {
            steps.extend([Step::Until(at), Step::Close(SERVER)]);
        }
        let begin = cast.dice.below(S);
        cast.tcp(begin, &parties, &steps);
    }
    come_back(cast, &service, after + 300 * MS);
}

/// 4.4: TLS spoken to a service that expects something else: closed at once, unanswered.
pub(in crate::generate) fn refused_request(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        ask_in_vain(t, Opening::TlsHello);
        t.pause(60 * US, 3 * MS);
        t.abort(SERVER, Why::new(&REFUSED, "TCP_ABORT_ON_CLOSE"));
    }
    let parties = cast.pair();
    cast.tcp(0, &parties, &[Step::Open, Step::End(end)]);
}

/// 4.5: a listener closes with established connections nobody accepted.
pub(in crate::generate) fn unaccepted(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        t.abort(SERVER, Why::new(&UNACCEPTED, "TCP_STATE"));
    }
    let service = cast.own_service();
    let moment = cast.now + 4 * S;
    for number in 0..4 {
        let parties = cast.another(&service);
        let mut steps = vec![Step::Open];
        if cast.dice.chance(0.4) {
            steps.push(Step::End(|t| ask_in_vain(t, Opening::Plain)));
        }
        steps.extend([Step::Until(moment + number * 15 * US), Step::End(end)]);
        let begin = cast.dice.below(2 * S);
        cast.tcp(begin, &parties, &steps);
    }
}

/// 4.5: the accept queue is full, and the host resets what does not fit (`tcp_abort_on_overflow`).
pub(in crate::generate) fn overflow(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        // The server dropped the handshake's last acknowledgement, and asks for it again.
        let answer_at = t.flow.now;
        let mut answer = t.build(SERVER, flag::SYN | flag::ACK, Default::default());
        answer.seq = answer.seq.wrapping_sub(1);
        let repeated = t.transmit(answer_at + S, answer);
        t.flow.now = repeated.arrives_at + 5 * US;
        t.ack(CLIENT);
        t.pause(2 * MS, 400 * MS);
        let len = t.dice().between(120, 600) as u16;
        let request = t.data(CLIENT, Opening::HttpRequest, len);
        t.refuse(&request, Why::new(&OVERFLOW, "INVALID_SYN"));
    }
    let parties = cast.pair();
    cast.tcp(0, &parties, &[Step::Open, Step::End(end)]);
}

/// 4.6: the client closes in the middle of a download, with part of it unread.
pub(in crate::generate) fn client_abort(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        t.ask();
        t.pause(200 * US, 4 * MS);
        let download = burst(t, SERVER, 10);
        let read = t.dice().between(3, 10) as usize;
        for (place, sent) in download.iter().take(read).enumerate() {
            t.take(sent);
            if place % 2 == 1 {
                t.flow.now += 3 * US;
                t.ack(CLIENT);
            }
        }
        t.pause(10 * US, 40 * US);
        t.abort(CLIENT, Why::new(&CLIENT_ABORT, "TCP_ABORT_ON_CLOSE"));
        for sent in download.iter().skip(read) {
            t.refuse(sent, Why::after(&CLIENT_ABORT_ECHO, "NO_SOCKET"));
        }
    }
    let parties = cast.pair();
    if cast.dice.chance(0.5) {
        spoken(cast, &parties, end);
    } else {
        cast.tcp(0, &parties, &[Step::Open, Step::End(end)]);
    }
}

/// 4.6: the client has read all and closed; the server streams on.
pub(in crate::generate) fn client_closed(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        t.ask();
        t.pause(2 * MS, 20 * MS);
        for _ in 0..2 {
            let chunk = t.data(SERVER, Opening::HttpResponse, 1_000);
            t.hear(&chunk);
            t.pause(MS, 8 * MS);
        }
        let fin = t.say(CLIENT, flag::FIN | flag::ACK, Opening::Plain, 0);
        // What it wrote before it learns of the FIN, and one piece after.
        let before = t.flow.now.saturating_sub(t.flow.rtt() / 4);
        t.flow.now = before.max(t.net.schedule.now());
        let count = t.dice().between(2, 6);
        let mut stream = Vec::new();
        for _ in 0..count {
            stream.push(t.data(SERVER, Opening::Plain, 1_000));
            t.flow.now += 30 * US;
        }
        if stream.last().is_some_and(|it| it.arrives_at < fin.taps_at) {
            t.take(&fin);
            stream.push(t.data(SERVER, Opening::Plain, 1_000));
        }
        let closed_at = fin.taps_at.saturating_sub(t.end(CLIENT).host.delay);
        let mut first = true;
        for sent in stream.iter().filter(|it| it.arrives_at > closed_at) {
            let why = if first {
                Why::new(&CLIENT_CLOSED, "TCP_ABORT_ON_DATA")
            } else {
                Why::after(&CLIENT_CLOSED_ECHO, "NO_SOCKET")
            };
            first = false;
            t.refuse(sent, why);
        }
    }
    let parties = cast.pair();
    cast.tcp(0, &parties, &[Step::Open, Step::End(end)]);
}

/// 4.6: the client waits for an answer that does not come, and aborts.
pub(in crate::generate) fn client_timeout(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        ask_in_vain(t, Opening::HttpRequest);
        let patience = t.dice().choose(&[1, 2, 5, 5, 10, 30], 5);
        let round_trip = t.flow.rtt();
        t.pass(patience * S + round_trip);
        t.abort(CLIENT, Why::new(&TIMEOUT, "TCP_STATE"));
    }
    let parties = cast.pair();
    spoken(cast, &parties, end);
}

/// 4.7: the server answers the `ClientHello` with an alert and aborts.
pub(in crate::generate) fn tls_failure(cast: &mut Cast<'_>) {
    fn end(t: &mut Talk<'_>) {
        ask_in_vain(t, Opening::TlsHello);
        t.pause(60 * US, MS);
        t.data(SERVER, Opening::TlsAlert, 7);
        t.pause(20 * US, 2 * MS);
        t.abort(SERVER, Why::new(&TLS, "TCP_STATE"));
    }
    let parties = cast.pair();
    cast.tcp(0, &parties, &[Step::Open, Step::End(end)]);
}
