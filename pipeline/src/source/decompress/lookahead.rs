//! Compressed input of which the next bytes can be looked at before a decoder takes them.

use std::io::{self, BufRead, BufReader, Read};

/// Most bytes that are looked at.
const AHEAD_MAX: usize = 4;

/// Compressed bytes read at a time.
const INPUT_BYTES: usize = 256 << 10;

/// The compressed bytes of an input.
pub(super) struct Lookahead {
    input: BufReader<Box<dyn Read + Send>>,
    /// Bytes that were looked at and not taken yet: the first `len` of them, less `taken`.
    ahead: [u8; AHEAD_MAX],
    taken: usize,
    len: usize,
}

impl Lookahead {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        let input = BufReader::with_capacity(INPUT_BYTES, reader);
        Self { input, ahead: [0; AHEAD_MAX], taken: 0, len: 0 }
    }

    /// Stands for one whose bytes somebody else reads.
    pub(super) fn empty() -> Self {
        let input = BufReader::with_capacity(0, Box::new(io::empty()) as Box<dyn Read + Send>);
        Self { input, ahead: [0; AHEAD_MAX], taken: 0, len: 0 }
    }

    /// The next bytes, at most 4; fewer where the input ends.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        self.ahead.copy_within(self.taken..self.len, 0);
        (self.taken, self.len) = (0, self.len - self.taken);
        while let Some(place) = self.ahead.get_mut(self.len).filter(|_| self.len < count) {
            let Some(&byte) = self.input.fill_buf()?.first() else { break };
            *place = byte;
            self.input.consume(1);
            self.len += 1;
        }
        Ok(self.ahead.get(..self.len).unwrap_or_default())
    }

    /// Takes as long as `wanted` says so of the next byte.
    pub(super) fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) -> io::Result<()> {
        loop {
            let bytes = self.fill_buf()?;
            let skipped = bytes.iter().take_while(|byte| wanted(**byte)).count();
            let go_on = skipped > 0 && skipped == bytes.len();
            self.consume(skipped);
            if !go_on {
                return Ok(());
            }
        }
    }

    /// Takes so many bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub(super) fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.by_ref().take(bytes), &mut io::sink())?;
        if skipped < bytes { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

impl BufRead for Lookahead {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.ahead.get(self.taken..self.len) {
            Some(ahead) if !ahead.is_empty() => Ok(ahead),
            _ => self.input.fill_buf(),
        }
    }

    fn consume(&mut self, count: usize) {
        let ahead = count.min(self.len - self.taken);
        self.taken += ahead;
        self.input.consume(count - ahead);
    }
}

impl Read for Lookahead {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.len {
            return self.input.read(room);
        }
        let n = self.fill_buf()?.read(room)?;
        self.consume(n);
        Ok(n)
    }
}
