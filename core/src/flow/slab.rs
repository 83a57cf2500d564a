//! Memory of the flow tables: one zeroed block, reserved once, cut into typed slabs.
//!
//! The tables of all shards share one block, so that a caller can put all of it on huge pages:
//! the slabs of one shard alone would be too small for that. A page that no flow has reached yet
//! is never touched and takes no memory.

#![expect(unsafe_code, reason = "zeroed memory becomes typed slices here, and nowhere else")]

use super::prefetch::{self, LINE};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

/// A huge page of x86-64 and of aarch64 with 4 KiB pages.
const HUGE_PAGE: usize = 2 << 20;

/// Slabs begin on pairs of lines, which many processors fetch together.
const SLAB_ALIGN: usize = 2 * LINE;

/// Types for which memory full of zeros is a value.
///
/// # Safety
/// All-zero bytes must be a valid value of the type: integers, floats, arrays and structures of
/// them, and enums that have a variant 0, but no references and no `NonZero` types.
pub unsafe trait Zeroable: Copy {}

/// The memory that a flow table asked for could not be had, or not be numbered with 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory {
    /// Bytes asked for; `usize::MAX` when the sum does not fit.
    pub bytes: usize,
}

impl fmt::Display for NoMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no memory for a flow table of {} bytes: lower its capacity", self.bytes)
    }
}

impl std::error::Error for NoMemory {}

/// Where a block lies, for callers that tell the kernel how to back it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// First byte; on a 2 MiB border when the block is that large.
    pub start: *const u8,
    /// Bytes; a multiple of 2 MiB when the block is that large.
    pub len: usize,
}

/// One zeroed allocation; freed when the last slab that was cut from it is dropped.
struct Block {
    allocation: NonNull<u8>,
    layout: Layout,
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a block hands out no access to its bytes by itself; the slabs do, each to its own range.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    fn new(bytes: usize) -> Result<Self, NoMemory> {
        let refused = NoMemory { bytes };
        let align = if bytes < HUGE_PAGE { SLAB_ALIGN } else { HUGE_PAGE };
        let len = bytes.max(1).checked_next_multiple_of(align).ok_or(refused)?;
        // The alignment is made here by leaving a margin: asked for an aligned zeroed block, the
        // system allocator clears it by hand, which would touch every page.
        let size = len.checked_add(align).ok_or(refused)?;
        let layout = Layout::from_size_align(size, align_of::<u64>()).map_err(|_| refused)?;
        // SAFETY: the layout's size is not zero.
        let allocation = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(refused)?;
        // Never none: an allocator may have written to the first bytes, and where a page is in memory
        // already, no huge page takes its place.
        let margin = align - allocation.addr().get() % align;
        // SAFETY: `margin <= align`, so that `margin + len` stays within the allocation.
        let start = unsafe { allocation.add(margin) };
        Ok(Self { allocation, layout, start, len })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and no slab is left to use it.
        unsafe { dealloc(self.allocation.as_ptr(), self.layout) };
    }
}

/// Cuts a block into slabs, one behind the other.
pub(super) struct Cutter {
    block: Arc<Block>,
    used: usize,
}

impl Cutter {
    /// Reserves a block for slabs of `bytes` in all, each as [`Cutter::size`] counts it.
    pub(super) fn new(bytes: usize) -> Result<Self, NoMemory> {
        Ok(Self { block: Arc::new(Block::new(bytes)?), used: 0 })
    }

    /// Bytes that a slab of `len` values takes up.
    pub(super) fn size<T>(len: usize) -> Option<usize> {
        len.checked_mul(size_of::<T>())?.checked_next_multiple_of(SLAB_ALIGN)
    }

    /// Cuts off the next `len` values; `None` for no values, or more than the block has room for.
    pub(super) fn cut<T: Zeroable>(&mut self, len: usize) -> Option<Slab<T>> {
        const { assert!(align_of::<T>() <= SLAB_ALIGN, "slabs begin on pairs of lines") };
        let end = self.used.checked_add(Self::size::<T>(len)?)?;
        if len == 0 || end > self.block.len {
            return None;
        }
        // SAFETY: `used <= len` of the block, whose bytes lie in one allocation.
        let first = unsafe { self.block.start.add(self.used) }.cast::<T>();
        self.used = end;
        Some(Slab { first, last: len - 1, block: Arc::clone(&self.block), values: PhantomData })
    }
}

/// A slice of its own, never empty, in a block shared with others.
pub(super) struct Slab<T> {
    first: NonNull<T>,
    last: usize,
    block: Arc<Block>,
    values: PhantomData<T>,
}

// SAFETY: no other slab reaches this one's range, so it moves between threads like a `Box<[T]>`.
unsafe impl<T: Send> Send for Slab<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Slab<T> {}

impl<T> Slab<T> {
    /// Value `index`, or the last one for an index that lies behind it: no branch, no panic.
    #[inline(always)]
    pub(super) fn at(&self, index: usize) -> &T {
        debug_assert!(index <= self.last, "an index of another slab");
        // SAFETY: a slab is not empty, so the index is at most `last`; the rest as in `deref`.
        unsafe { self.first.add(index.min(self.last)).as_ref() }
    }

    /// Likewise, to change it.
    #[inline(always)]
    pub(super) fn at_mut(&mut self, index: usize) -> &mut T {
        debug_assert!(index <= self.last, "an index of another slab");
        // SAFETY: as in `at`; the exclusive borrow of the slab is one of its range.
        unsafe { self.first.add(index.min(self.last)).as_mut() }
    }

    /// Asks for all lines of value `index` (see [`prefetch::line`]).
    #[inline(always)]
    pub(super) fn prefetch(&self, index: usize) {
        let address = self.first.as_ptr().wrapping_add(index).cast::<u8>().cast_const();
        for at in (0..size_of::<T>()).step_by(LINE) {
            prefetch::line(address.wrapping_add(at));
        }
    }

    /// The block that this slab was cut from.
    pub(super) fn region(&self) -> Region {
        Region { start: self.block.start.as_ptr(), len: self.block.len }
    }
}

impl<T> Deref for Slab<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: `cut` gave this slab `len` values of a type for which zeros are valid, aligned,
        // in a range that is its alone, and the block lives as long as the slab.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.last + 1) }
    }
}

impl<T> DerefMut for Slab<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; the exclusive borrow of the slab is one of its range.
        unsafe { std::slice::from_raw_parts_mut(self.first.as_ptr(), self.last + 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Block, Cutter, HUGE_PAGE, SLAB_ALIGN, Zeroable};

    // SAFETY: an integer.
    unsafe impl Zeroable for u32 {}

    #[test]
    fn slabs_are_zeroed_aligned_and_apart() {
        for len in [1usize, 31, 32, 33, 1000, 600_000] {
            let size = Cutter::size::<u32>(len).unwrap();
            let mut cutter = Cutter::new(2 * size).unwrap();
            let (mut a, mut b) = (cutter.cut::<u32>(len).unwrap(), cutter.cut::<u32>(len).unwrap());
            assert_eq!(a.as_ptr() as usize % SLAB_ALIGN, 0, "{len}");
            assert_eq!(b.as_ptr() as usize % SLAB_ALIGN, 0, "{len}");
            a.fill(1);
            assert!(b.iter().all(|&v| v == 0), "{len}");
            b.fill(2);
            assert!(a.iter().all(|&v| v == 1), "{len}");
            let region = a.region();
            assert_eq!(region, b.region(), "{len}");
            drop(cutter);
            drop(a);
            assert!(b.iter().all(|&v| v == 2), "the block outlives its cutter and its first slab");
        }
    }

    #[test]
    fn a_large_block_fills_whole_huge_pages() {
        let cutter = Cutter::new(HUGE_PAGE + 1).unwrap();
        assert_eq!(cutter.block.start.as_ptr() as usize % HUGE_PAGE, 0);
        assert_eq!(cutter.block.len, 2 * HUGE_PAGE);
    }

    #[test]
    fn a_block_keeps_clear_of_what_its_allocator_may_have_written_to() {
        // Of so many allocations some begin on the border that is wanted.
        let sizes = (0..100).map(|n| n * SLAB_ALIGN / 2 + 1).chain([HUGE_PAGE, 3 * HUGE_PAGE]);
        let blocks: Vec<_> = sizes.map(|bytes| Block::new(bytes).unwrap()).collect();
        for block in &blocks {
            let allocation = block.allocation.as_ptr().addr();
            let start = block.start.as_ptr().addr();
            assert!(start > allocation, "{}", block.len);
            assert!(start + block.len <= allocation + block.layout.size(), "{}", block.len);
        }
    }

    #[test]
    fn more_than_there_is_is_refused_without_an_abort() {
        for bytes in [usize::MAX, usize::MAX - SLAB_ALIGN, usize::MAX / 2, 1 << 56] {
            assert_eq!(Cutter::new(bytes).err().map(|e| e.bytes), Some(bytes), "{bytes}");
        }
        let mut small = Cutter::new(128).unwrap();
        assert!(small.cut::<u32>(33).is_none());
        assert!(small.cut::<u32>(usize::MAX).is_none());
        assert!(small.cut::<u32>(32).is_some());
        assert!(small.cut::<u32>(1).is_none());
        assert!(small.cut::<u32>(0).is_none(), "no slab is empty");
    }
}
