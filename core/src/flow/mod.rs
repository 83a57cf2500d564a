//! Flows: the canonical key, its symmetric hash, and the bounded table.

mod bucket;
pub mod hash;
pub mod key;
pub mod prefetch;
mod slab;
pub mod table;
