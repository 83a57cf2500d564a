//! Cache hints: asking for a line before it is needed. They change speed, never a result.

#![allow(unsafe_code, reason = "where there are hint instructions, they are unsafe intrinsics")]

/// Bytes of a cache line.
pub const LINE: usize = 64;

/// Asks for the line at `address` in the nearest cache.
///
/// Any address will do: a prefetch of an unmapped one is dropped by the processor.
/// A no-op where this crate knows no such instruction.
#[inline(always)]
pub fn line(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: PREFETCHT0 belongs to SSE, which x86-64 always has; it neither faults nor
        // reads memory that the program could observe.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast::<i8>()) };
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: PRFM is a hint of the base instruction set; it neither faults nor touches registers,
    // flags or the stack.
    unsafe {
        core::arch::asm!(
            "prfm pldl1keep, [{address}]",
            address = in(reg) address,
            options(readonly, nostack, preserves_flags)
        );
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}

/// Asks for the line at `address` in the second cache only: for what is needed some microseconds from
/// now, so that it neither waits in the nearest cache's few places nor takes one.
///
/// Otherwise as [`line()`].
#[inline(always)]
pub fn line_for_later(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: as in `line`, of PREFETCHT1.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(address.cast::<i8>()) };
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as in `line`.
    unsafe {
        core::arch::asm!(
            "prfm pldl2keep, [{address}]",
            address = in(reg) address,
            options(readonly, nostack, preserves_flags)
        );
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}

/// Asks for the line at `address` in the nearest cache as this core's alone, to write to it: of what
/// another core has read, or what has left that cache, the writing would wait.
///
/// Otherwise as [`line()`].
#[inline(always)]
pub fn line_to_own(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: PREFETCHW is a hint that neither faults nor touches registers, flags or the stack.
    // Processors that do not know it (some before 2014) take it for the NOP that its encoding is
    // reserved as.
    unsafe {
        core::arch::asm!(
            "prefetchw [{address}]",
            address = in(reg) address,
            options(readonly, nostack, preserves_flags)
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as in `line`.
    unsafe {
        core::arch::asm!(
            "prfm pstl1keep, [{address}]",
            address = in(reg) address,
            options(readonly, nostack, preserves_flags)
        );
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}

/// Asks for all lines of `value`.
#[inline(always)]
pub fn value<T>(value: &T) {
    value_behind(value, 0);
}

/// Asks for all lines of the value `distance` places behind `value`, if it is one of many in a row. At
/// the end of the row that asks for something else, which is harmless.
#[inline(always)]
pub fn value_behind<T>(value: &T, distance: usize) {
    let start = std::ptr::from_ref(value).wrapping_add(distance).cast::<u8>();
    (0..size_of::<T>()).step_by(LINE).for_each(|at| line(start.wrapping_add(at)));
}

/// As [`value_behind`], for a row that is being written: see [`line_to_own`].
#[inline(always)]
pub fn value_to_own_behind<T>(value: &T, distance: usize) {
    let start = std::ptr::from_ref(value).wrapping_add(distance).cast::<u8>();
    (0..size_of::<T>()).step_by(LINE).for_each(|at| line_to_own(start.wrapping_add(at)));
}
