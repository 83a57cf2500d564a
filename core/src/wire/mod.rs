//! Dissection: from the bytes of a frame to a [`Segment`], or the reason why not.

use crate::frame::Frame;
use crate::segment::{RstTexts, Segment};
use crate::skip::Skip;

/// Reads the TCP segment that `frame` carries into `segment`.
///
/// # Errors
/// The one reason why the frame holds no usable TCP segment.
pub fn dissect(
    _frame: &Frame<'_>,
    _segment: &mut Segment,
    _texts: &mut RstTexts,
) -> Result<(), Skip> {
    Err(Skip::LinkType)
}
