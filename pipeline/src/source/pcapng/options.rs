//! Options behind a block's fixed fields: a code, a length, and a value padded to 4 bytes.

use crate::source::walk::read_u16;

const END: u16 = 0;

/// The options of a block, as code and value. One that is longer than what follows is given as the
/// sentence that says so, and is the last.
pub(super) struct Options<'a> {
    rest: &'a [u8],
    big: bool,
}

impl<'a> Options<'a> {
    /// The options that stand in these bytes, without the block's length at its tail.
    #[inline]
    pub(super) const fn new(bytes: &'a [u8], big: bool) -> Self {
        Self { rest: bytes, big }
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Result<(u16, &'a [u8]), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.len() < 4 {
            return None;
        }
        let code = read_u16(self.rest, 0, self.big);
        let length = usize::from(read_u16(self.rest, 2, self.big));
        let rest = std::mem::take(&mut self.rest);
        if code == END {
            return None;
        }
        let Some(value) = rest.get(4..4 + length) else {
            let follow = rest.len() - 4;
            return Some(Err(format!("option {code} says {length} bytes and {follow} follow")));
        };
        // The padding of the last one is sometimes left out.
        self.rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        Some(Ok((code, value)))
    }
}
