//! A classic BPF program: what the kernel runs on each frame to decide whether, and how much of
//! it, the tap gets.

/// Opcodes, as in `linux/bpf_common.h`, of the instructions that are used here.
pub(super) mod op {
    /// Load the 32-bit word at `k`.
    pub(in crate::live) const LOAD_WORD: u16 = 0x20;
    /// Load the 16-bit word at `k`.
    pub(in crate::live) const LOAD_HALF: u16 = 0x28;
    /// Load the byte at `k`.
    pub(in crate::live) const LOAD_BYTE: u16 = 0x30;
    /// Load the 16-bit word at `x + k`.
    pub(in crate::live) const LOAD_HALF_X: u16 = 0x48;
    /// Set `x` to four times the low nibble of the byte at `k`: the length of an IPv4 header.
    pub(in crate::live) const LOAD_X_IP4_LEN: u16 = 0xb1;
    /// Keep the bits of `k`.
    pub(in crate::live) const AND: u16 = 0x54;
    /// Go on by `jt` if equal to `k`, else by `jf`.
    pub(in crate::live) const JUMP_EQUAL: u16 = 0x15;
    /// Go on by `jt` if greater than `k`, else by `jf`.
    pub(in crate::live) const JUMP_GREATER: u16 = 0x25;
    /// Go on by `jt` if at least `k`, else by `jf`.
    pub(in crate::live) const JUMP_AT_LEAST: u16 = 0x35;
    /// Go on by `jt` if a bit of `k` is set, else by `jf`.
    pub(in crate::live) const JUMP_SET: u16 = 0x45;
    /// End with `k` bytes of the frame; none refuses it.
    pub(in crate::live) const RETURN: u16 = 0x06;
}

/// One instruction: `struct sock_filter` of `linux/filter.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What is done.
    pub code: u16,
    /// Instructions skipped when a jump's condition holds.
    pub jt: u8,
    /// Instructions skipped when it does not.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

impl Instruction {
    pub(super) const fn new(code: u16, k: u32) -> Self {
        Self { code, jt: 0, jf: 0, k }
    }
}

/// Where the kernel's own knowledge of a frame is found instead of bytes: `SKF_AD_OFF` and
/// `SKF_AD_PKTTYPE` of `linux/filter.h`.
const PACKET_TYPE: u32 = (-0x1000_i32 + 4).cast_unsigned();

/// The program that refuses everything.
#[must_use]
pub fn refuse_all() -> Vec<Instruction> {
    vec![Instruction::new(op::RETURN, 0)]
}

/// The program that leaves out frames on their way out, and passes the others to `rest`: on the
/// loopback interface every frame also comes in.
#[must_use]
pub fn incoming_only(rest: &[Instruction]) -> Vec<Instruction> {
    let mut program = vec![
        Instruction::new(op::LOAD_WORD, PACKET_TYPE),
        Instruction { code: op::JUMP_EQUAL, jt: 0, jf: 1, k: u32::from(libc::PACKET_OUTGOING) },
        Instruction::new(op::RETURN, 0),
    ];
    program.extend_from_slice(rest);
    program
}
