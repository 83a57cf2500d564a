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
    /// Go on `k` instructions further.
    pub(in crate::live) const JUMP: u16 = 0x05;
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

/// Where a value is loaded from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    Byte(u32),
    Half(u32),
    Word(u32),
    /// The 16-bit word so many bytes behind the IPv4 header that begins at the first number.
    HalfBehindIp4(u32, u32),
}

/// What a loaded value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    Equal(u32),
    /// Equal, of the bits of the first number, to the second.
    Masked(u32, u32),
    AtLeast(u32),
    AtMost(u32),
    /// None of these bits is set.
    Without(u32),
}

/// A condition on a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Never,
    Value(Load, Is),
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
}

/// The program that takes `snaplen` bytes of the frames on which `condition` holds.
///
/// As with every program of this kind, a frame that is too short for a value that is looked at is
/// refused, whatever the condition.
pub(super) fn assemble(condition: &Condition, snaplen: u32) -> Vec<Instruction> {
    let mut backward = Backward { program: Vec::new(), hops: Vec::new() };
    let no = backward.put(Instruction::new(op::RETURN, 0));
    let yes = backward.put(Instruction::new(op::RETURN, snaplen));
    let begin = backward.condition(condition, yes, no);
    backward.jump_unless_next(begin);
    backward.program.reverse();
    backward.program
}

/// An instruction's place, counted from the end of the program.
type Place = usize;

/// A program under construction from its end, so that every jump knows how far it is to go.
struct Backward {
    program: Vec<Instruction>,
    /// Jumps on the way to places that are too far for a conditional one: where to, and where from.
    hops: Vec<(Place, Place)>,
}

impl Backward {
    fn put(&mut self, instruction: Instruction) -> Place {
        self.program.push(instruction);
        self.program.len() - 1
    }

    /// Puts what decides `condition` and goes on at `yes` or `no`; returns where it begins.
    fn condition(&mut self, condition: &Condition, yes: Place, no: Place) -> Place {
        match condition {
            Condition::Never => no,
            Condition::Not(inner) => self.condition(inner, no, yes),
            Condition::All(parts) => {
                parts.iter().rev().fold(yes, |next, part| self.condition(part, next, no))
            }
            Condition::Any(parts) => {
                parts.iter().rev().fold(no, |next, part| self.condition(part, yes, next))
            }
            Condition::Value(load, is) => self.value(*load, *is, yes, no),
        }
    }

    fn value(&mut self, load: Load, is: Is, yes: Place, no: Place) -> Place {
        let (code, k, yes, no) = match is {
            Is::Equal(k) | Is::Masked(_, k) => (op::JUMP_EQUAL, k, yes, no),
            Is::AtLeast(k) => (op::JUMP_AT_LEAST, k, yes, no),
            Is::AtMost(k) => (op::JUMP_GREATER, k, no, yes),
            Is::Without(k) => (op::JUMP_SET, k, no, yes),
        };
        // Two steps' worth of room, as the second may move the first one step away.
        let yes = self.within_reach(yes, 2);
        let no = self.within_reach(no, 1);
        let step = |skipped| u8::try_from(skipped).unwrap_or(u8::MAX);
        let (jt, jf) = (step(self.skipped(yes)), step(self.skipped(no)));
        self.put(Instruction { code, jt, jf, k });
        if let Is::Masked(mask, _) = is {
            self.put(Instruction::new(op::AND, mask));
        }
        match load {
            Load::Byte(at) => self.put(Instruction::new(op::LOAD_BYTE, at)),
            Load::Half(at) => self.put(Instruction::new(op::LOAD_HALF, at)),
            Load::Word(at) => self.put(Instruction::new(op::LOAD_WORD, at)),
            Load::HalfBehindIp4(header, at) => {
                self.put(Instruction::new(op::LOAD_HALF_X, header + at));
                self.put(Instruction::new(op::LOAD_X_IP4_LEN, header))
            }
        }
    }

    /// A place that leads to `to` and that a conditional jump, which can skip no more than 255
    /// instructions, reaches when `more` are put before it.
    fn within_reach(&mut self, to: Place, more: usize) -> Place {
        let near = |place| self.skipped(place) + more <= usize::from(u8::MAX);
        if near(to) {
            return to;
        }
        let known = self.hops.iter().rev().find(|(of, hop)| *of == to && near(*hop));
        if let Some((_, hop)) = known {
            return *hop;
        }
        let hop = self.jump(to);
        self.hops.push((to, hop));
        hop
    }

    /// How many instructions one that is put now has to skip on the way to `to`.
    fn skipped(&self, to: Place) -> usize {
        self.program.len() - 1 - to
    }

    fn jump(&mut self, to: Place) -> Place {
        let skipped = u32::try_from(self.skipped(to)).unwrap_or(u32::MAX);
        self.put(Instruction::new(op::JUMP, skipped))
    }

    /// The program begins at `to`.
    fn jump_unless_next(&mut self, to: Place) {
        if self.skipped(to) > 0 {
            self.jump(to);
        }
    }
}
