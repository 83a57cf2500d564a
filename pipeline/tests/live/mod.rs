//! What the tests of a running `monitor` have in common, whatever it listens through: namespaces with
//! a cable between them, programs in them, traffic on the cable, and what is asked of every tap.

#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod net;
pub(crate) mod overrun;
pub(crate) mod program;
pub(crate) mod raw;
pub(crate) mod recording;
pub(crate) mod thread;
pub(crate) mod traffic;
