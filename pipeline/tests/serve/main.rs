//! The network faces: metrics, live page, and what hostile clients get.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

#[path = "../analysis/mod.rs"]
mod analysis;
mod browser;
#[path = "../capture_writer/mod.rs"]
mod capture_writer;
mod fed;
mod hostile;
#[path = "../http_client/mod.rs"]
mod http_client;
mod metrics;
#[path = "../traffic/mod.rs"]
mod traffic;
