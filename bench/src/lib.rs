//! What is measured of resetscope: [`score`] compares its verdicts with truth; its speed is measured
//! on [`traffic`] in memory and compared with the [`floor`] that the machine sets.

pub mod floor;
pub mod score;
pub mod traffic;
