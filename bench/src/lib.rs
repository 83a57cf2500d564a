//! What is measured of resetscope besides its speed ([`score`] compares its verdicts with truth), and
//! the traffic it is measured with ([`generate`]).

pub mod generate;
pub mod score;
