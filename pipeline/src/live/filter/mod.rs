//! Filter expressions: which frames a live tap is to see, decided in the kernel.

pub mod program;

use program::{Instruction, op};

/// The program that takes the first `snaplen` bytes of every frame.
#[must_use]
pub fn take_all(snaplen: u32) -> Vec<Instruction> {
    vec![Instruction::new(op::RETURN, snaplen)]
}
