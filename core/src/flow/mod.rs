//! Flows: the canonical key, its symmetric hash, the record of a flow, and the bounded table.

mod bucket;
mod direction;
pub mod hash;
pub mod key;
mod lanes;
pub mod prefetch;
pub mod record;
mod slab;
pub mod table;
pub mod usual;
