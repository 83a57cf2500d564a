//! Rows of comma-separated values (RFC 4180): lines end in CR LF, and a field with a comma, a quote
//! or a line break stands in quotes, its own quotes doubled.

use std::io::{self, Write};

/// Writes one row.
pub(super) struct Row<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Row<'a> {
    /// A row at the end of `out`.
    pub(super) const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, first: true }
    }

    fn separate(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
    }

    /// Adds a field that is a number, or anything else that needs no quotes.
    pub(super) fn plain(&mut self, value: impl std::fmt::Display) -> io::Result<&mut Self> {
        self.separate();
        write!(self.out, "{value}")?;
        Ok(self)
    }

    /// Adds a field of text.
    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        self.separate();
        if value.contains([',', '"', '\r', '\n']) {
            self.out.push(b'"');
            self.out.extend_from_slice(value.replace('"', "\"\"").as_bytes());
            self.out.push(b'"');
        } else {
            self.out.extend_from_slice(value.as_bytes());
        }
        self
    }

    /// Ends the row.
    pub(super) fn end(self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::Row;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let mut out = Vec::new();
        let mut row = Row::new(&mut out);
        row.text("plain").text("").text("a,b").text("say \"no\"").text("two\r\nlines");
        row.plain(0.25).unwrap();
        row.end();
        let want = "plain,,\"a,b\",\"say \"\"no\"\"\",\"two\r\nlines\",0.25\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }
}
