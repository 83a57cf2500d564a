//! Flows: the canonical key, its symmetric hash, and the bounded table.

pub mod hash;
pub mod key;
pub mod record;
