//! What is measured of resetscope: [`score`] compares its verdicts with truth, [`rate`] its speed, on
//! [`traffic`] in memory, with the [`mod@floor`] that the machine sets. [`generate`] writes captures
//! of any size, with truth.

pub mod floor;
pub mod generate;
pub mod rate;
pub mod score;
pub mod traffic;
