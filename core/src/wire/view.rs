//! A checked view of the bytes that one header and everything behind it may use.

use crate::frame::Frame;
use crate::skip::Skip;

/// What is left of a frame: the captured bytes, and how many there were on the wire.
///
/// `bytes.len() <= wire` always; the difference is what the snap length cut away (or what a header
/// claims beyond the end of the frame, which looks the same from here).
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) wire: usize,
}

impl<'a> View<'a> {
    /// The whole frame.
    pub(super) fn of(frame: &Frame<'a>) -> Self {
        let wire = usize::try_from(frame.wire_len).unwrap_or(usize::MAX);
        Self { bytes: frame.bytes, wire: wire.max(frame.bytes.len()) }
    }

    /// Splits a header of `N` bytes off the front.
    pub(super) fn take<const N: usize>(self) -> Result<(&'a [u8; N], Self), Skip> {
        match self.bytes.split_first_chunk::<N>() {
            Some((header, bytes)) => Ok((header, Self { bytes, wire: self.wire - N })),
            None => Err(self.lacks(N)),
        }
    }

    /// Drops `len` bytes from the front.
    pub(super) fn advance(self, len: usize) -> Result<Self, Skip> {
        match self.bytes.get(len..) {
            Some(bytes) => Ok(Self { bytes, wire: self.wire - len }),
            None => Err(self.lacks(len)),
        }
    }

    /// The first `len` bytes as a length field delimits them: what follows is padding or another
    /// header's trailer. A `len` beyond the end counts as cut.
    pub(super) fn limit(self, len: usize) -> Self {
        Self { bytes: self.bytes.get(..len).unwrap_or(self.bytes), wire: len }
    }

    /// Whether bytes are missing at the end.
    pub(super) const fn is_cut(self) -> bool {
        self.bytes.len() < self.wire
    }

    /// The high nibble of the first byte, where both IP versions and MPLS payloads say what they are.
    pub(super) fn nibble(self) -> Result<u8, Skip> {
        self.bytes.first().map_or_else(|| Err(self.lacks(1)), |byte| Ok(byte >> 4))
    }

    /// The big-endian 16-bit word at `at`, if captured.
    pub(super) fn word(self, at: usize) -> Option<u16> {
        let (word, _) = self.bytes.get(at..)?.split_first_chunk::<2>()?;
        Some(u16::from_be_bytes(*word))
    }

    /// Why a header of `len` bytes cannot be read: it was cut, or there was never room for it.
    #[cold]
    const fn lacks(self, len: usize) -> Skip {
        if len <= self.wire { Skip::Truncated } else { Skip::BadIp }
    }
}
