//! A server that has been fed the shipped capture.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use resetscope::run::run;
use resetscope::serve::{About, Bound, Server};
use resetscope::sink::tee::Tee;
use resetscope::source::{Input, Options, open};

use crate::analysis::{Outcome, corpus, plan};

/// Services and hosts in summaries, as in those of [`Outcome`].
const TOP: usize = 20;

/// Services that the metrics name.
pub(crate) const SERVICES: usize = 3;

/// A server on a free port.
pub(crate) fn server() -> (Server, SocketAddr) {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let bound = Bound::open(Some(anywhere), Some(anywhere)).unwrap();
    let (address, face) = bound.faces().next().unwrap();
    assert!(face.metrics && face.page && face.local, "one port for both");
    let about = About {
        interface: "capture".to_owned(),
        interval: Duration::from_secs(1),
        flows: 1 << 15,
        top: TOP,
        services: SERVICES,
    };
    (bound.start(about).unwrap(), address)
}

/// Lets the server have the shipped capture in intervals of a second; returns what it was given.
pub(crate) fn feed(server: &Server) -> Outcome {
    let mut outcome = Outcome::default();
    let mut tee = Tee::default().with(server.publisher()).with(&mut outcome);
    let source = open([Input::from(corpus())], &Options::default()).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    run(&plan(1, Some(1_000_000_000)), source, &mut tee, &stop, &|_| {}).unwrap();
    drop(tee);
    outcome
}
