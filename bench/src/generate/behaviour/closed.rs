//! Group 1: nobody listens there.

use resetscope_core::judge::cause::Subcause as Sub;

use super::benign::{probe_open, raw_syn};
use super::ordinary::customers;
use crate::generate::cast::Cast;
use crate::generate::flow::Step;
use crate::generate::host::{CLIENT, MS, Parties, S, SERVER, Stack};
use crate::generate::packet::flag;
use crate::generate::payload::Opening;
use crate::generate::reset::Why;
use crate::generate::talk::Talk;
use crate::generate::truth::Label;

const NO_LISTENER: Label = Label::new("01-closed-port", Sub::NoListener, &[]);
const DOWN: Label = Label::new("02-service-down", Sub::ServiceDown, &[]);
const SCAN: Label = Label::new("03-port-sweep", Sub::PortScan, &[Sub::NoListener]);
const NO_POOL: Label = Label::new("50-no-pool", Sub::NoBackend, &[Sub::NoListener]);

/// A SYN that the server's host refuses. Windows asks twice more before it believes it.
fn refused(t: &mut Talk<'_>, label: &'static Label) {
    let mut syn = t.say(CLIENT, flag::SYN, Opening::Plain, 0);
    t.refuse(&syn, Why::new(label, "NO_SOCKET"));
    if t.end(CLIENT).host.stack == Stack::Windows {
        for _ in 0..2 {
            t.end_mut(CLIENT).dead = false;
            syn = t.again(t.flow.now + 500 * MS, &syn);
            t.refuse(&syn, Why::after(label, "NO_SOCKET"));
        }
    }
}

/// 1.1: a port on which nobody ever listened.
pub(in crate::generate) fn no_listener(cast: &mut Cast<'_>) {
    let parties = Parties { port: cast.dice.between(28_000, 32_000) as u16, ..cast.pair() };
    cast.tcp(0, &parties, &[Step::End(|t| refused(t, &NO_LISTENER))]);
}

/// 1.2: a service that had accepted before is gone when its clients come back.
pub(in crate::generate) fn service_down(cast: &mut Cast<'_>) {
    let service = cast.own_service();
    customers(cast, &service, 3, 2 * S);
    come_back(cast, &service, 8 * S);
}

/// Clients of a service that is not there any more; `after` nanoseconds from now.
pub(super) fn come_back(cast: &mut Cast<'_>, service: &Parties, after: u64) {
    for _ in 0..2 {
        let parties = cast.another(service);
        let after = after + cast.dice.below(2 * S);
        cast.tcp(after, &parties, &[Step::End(|t| refused(t, &DOWN))]);
    }
}

/// 1.3: one source tries many ports of a host, of which one is open.
pub(in crate::generate) fn port_scan(cast: &mut Cast<'_>) {
    fn closed(t: &mut Talk<'_>) {
        let syn = raw_syn(t);
        t.refuse(&syn, Why::new(&SCAN, "NO_SOCKET"));
    }
    let target = cast.pair();
    let source = cast.client_port(&target);
    let begin = cast.dice.below(6_900);
    for number in 0..30 {
        let after = number * 4 * MS + cast.dice.below(3 * MS);
        // No port twice: the step and the number of ports have no common factor.
        let port = 1 + ((begin + number * 211) % 6_900) as u16;
        let parties = Parties { port, ..target };
        let open = number == 17;
        let end = if open { probe_open } else { closed };
        cast.start_from(
            source,
            crate::generate::packet::Kind::Tcp,
            after,
            &parties,
            &[Step::End(end)],
        );
    }
}

/// 1.4: a virtual address of a load balancer without a pool for the port.
pub(in crate::generate) fn no_backend(cast: &mut Cast<'_>) {
    let mut parties = Parties { port: cast.dice.between(28_000, 32_000) as u16, ..cast.pair() };
    // An address that nothing but the load balancer has, and its own time to live.
    let host = &mut parties.hosts[SERVER];
    host.address[if parties.v6 { 15 } else { 1 }] ^= 0x80;
    host.ttl = host.ttl.saturating_add(255 - if host.ttl > 64 { 128 } else { 64 });
    host.stack = Stack::Linux;
    cast.tcp(0, &parties, &[Step::End(|t| refused(t, &NO_POOL))]);
}
