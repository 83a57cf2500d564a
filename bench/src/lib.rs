//! What is measured of resetscope besides its speed: [`score`] compares its verdicts with truth.

pub mod score;
