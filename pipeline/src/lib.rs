//! Sources, workers, collectors and sinks around the engine of `resetscope-core`.

pub mod source;
