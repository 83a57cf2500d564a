//! What fits into the last column of a table on a line of 80 columns.

use std::fmt::Write as _;

use crate::explain::wrap::WIDTH;

/// Columns that are left beside cells of these widths: all have a space before and behind.
pub(super) fn room(widths: &[usize]) -> usize {
    WIDTH.saturating_sub(widths.iter().map(|width| width + 2).sum::<usize>() + 1)
}

/// The width of the widest.
pub(super) fn widest<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> usize {
    texts.into_iter().map(|text| text.as_ref().chars().count()).max().unwrap_or(0)
}

/// As many of the items as fit, but not more than `most` nor fewer than one, and a mark when there
/// are more.
pub(super) fn fitting(items: &[String], most: usize, room: usize) -> String {
    const MORE: &str = ", …";
    let mut text = String::new();
    for (index, item) in items.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        let more = if index + 1 < items.len() { MORE } else { "" };
        let needed = widest([&text]) + comma.len() + widest([item]) + widest([more]);
        if index == most || index > 0 && needed > room {
            text.push_str(MORE);
            break;
        }
        let _ = write!(text, "{comma}{item}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn what_does_not_fit_is_marked_as_more() {
        let items = ["alpha", "beta", "gamma"].map(str::to_owned);
        for (items, most, room, want) in [
            (&items[..], 3, 18, "alpha, beta, gamma"),
            (&items, 3, 17, "alpha, beta, …"),
            (&items, 2, 80, "alpha, beta, …"),
            (&items, 2, 13, "alpha, …"),
            (&items[..1], 2, 3, "alpha"),
            (&[], 2, 80, ""),
        ] {
            assert_eq!(fitting(items, most, room), want, "{most} in {room}");
        }
    }
}
