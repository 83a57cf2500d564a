//! `resetscope monitor` through DPDK: recordings, and interfaces through AF_PACKET and AF_XDP.
//!
//! These tests take root, huge pages and DPDK's drivers; without them they say so and pass.
//! `scripts/setup-dpdk` provides what is missing.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

mod bench;
#[path = "../capture_writer/mod.rs"]
mod capture_writer;
mod captures;
#[path = "../live/mod.rs"]
mod live;
mod refusals;
mod run;
mod setup;
mod summaries;
