//! The engine as its callers see it: frames of whole conversations in, judged resets out.
//!
//! Stories follow the wire forms that were measured on Linux, and those known of Windows.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod conversation;
mod distort;
mod events;
mod hostile;
mod memory;
mod play;
mod shards;
mod traffic;
mod verdicts;
