//! A window of a file, mapped read-only.
//!
//! **The hazard**: a mapping shows the file, not a copy. If another process truncates the file
//! below a mapped page, touching that page raises SIGBUS and ends the program; if it overwrites the
//! file in place, bytes may change between two reads of them. Capture files are written once and
//! then rotated by rename, so this does not happen in normal use; who reads from a file that may be
//! truncated (or lies on a network file system that may do so) turns mapping off
//! ([`super::Options::mmap`]). The file's size is checked anew for every window, so the hazard is
//! limited to a truncation while a window of some megabytes is in use.

#![allow(unsafe_code)]

use memmap2::{Mmap, MmapOptions};
use std::fs::File;
use std::io;

/// Part of a file, mapped.
#[derive(Debug)]
pub(super) struct Mapping(Mmap);

impl Mapping {
    /// Maps `len` bytes of the file from `offset` (any number, not only multiples of a page).
    ///
    /// With `populate` the pages are brought in and entered in the page table at once; taking one
    /// fault after the other costs more than reading the file would.
    ///
    /// # Errors
    /// What the system answers, for example on file systems that cannot map.
    pub(super) fn new(file: &File, offset: u64, len: usize, populate: bool) -> io::Result<Self> {
        let mut options = MmapOptions::new();
        options.offset(offset).len(len);
        if populate {
            options.populate();
        }
        // SAFETY: the mapping is private to us, read-only, and lies within the file as its size was
        // found just before this call. Rust further wants that the bytes never change while they
        // are borrowed. No one can promise that for a file; all that we do with them is to compute
        // on plain bytes with every length checked against the slice at the time of use, so that
        // changed bytes give other frames and nothing worse. Truncation is the hazard described at
        // the top of this module, and the reason for the option to read without mapping.
        let map = unsafe { options.map(file) }?;
        Ok(Self(map))
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}
