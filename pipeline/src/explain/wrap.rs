//! Lines that fit a terminal of 80 columns.

/// Columns of a line.
pub(crate) const WIDTH: usize = 80;

/// Breaks `text` into lines of at most [`WIDTH`] columns, each behind `indent` spaces. Words that are
/// longer stay whole.
pub(crate) fn wrap(text: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column == 0 || column + 1 + length > WIDTH {
            if column > 0 {
                lines.push('\n');
            }
            lines.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, wrap};

    #[test]
    fn lines_are_filled_and_never_too_long() {
        let text = "one µs → ".repeat(40);
        let wrapped = wrap(&text, 4);
        for line in wrapped.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
            assert!(line.starts_with("    ") && !line.starts_with("     "), "{line}");
        }
        assert_eq!(wrapped.split_whitespace().count(), 120);
        assert_eq!(wrap("short", 2), "  short\n");
    }
}
