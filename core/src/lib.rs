//! The engine of resetscope: everything between a borrowed frame and a mergeable interval.
//!
//! In the order a packet meets them:
//! [`frame`] (what a source hands over) → [`wire`] (checked dissection into a [`segment::Segment`],
//! or a [`skip::Skip`] reason) → [`flow`] (key, hash, bounded table) → [`track`] (what it teaches of
//! its flow) → [`judge`] (resets only: why) → [`interval`] (counts). An [`engine`] does all of that
//! for one core, with the flows that are its by [`owners`], and gives out a [`docket`] of what it
//! judged; [`memory`] judges again with what other flows showed.
//!
//! This crate does no I/O, spawns no thread, reads no clock and allocates nothing per packet:
//! the only time it knows is the packet's own.

pub mod docket;
pub mod engine;
pub mod flow;
pub mod frame;
pub mod interval;
pub mod judge;
pub mod limits;
pub mod memory;
pub mod owners;
mod ring;
pub mod segment;
pub mod seq;
pub mod set_backs;
mod shard;
pub mod skip;
pub mod track;
pub mod wire;
