//! Counts allocations and what they hold, but only while asked to: a timed call pays for one relaxed load.
//!
//! The allocators on crates.io that count do so always, on shared or thread-local counters. That would
//! add to the time of exactly those subjects that allocate, and on two threads it would make them contend.
#![allow(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; this one only forwards to the system's"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static ON: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);
/// Bytes that were taken and not given back.
static HELD: AtomicI64 = AtomicI64::new(0);

struct Counting;

/// Counts the allocations of the whole process until it is asked for their number.
#[derive(Debug)]
pub struct Count(());

// === impl Counting ===

// SAFETY: every method hands its arguments unchanged to `System`, which keeps the contract; what is
// done besides touches two atomics and neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size() as i64);
        // SAFETY: the caller keeps the contract of `alloc`, which is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(1, size as i64 - layout.size() as i64);
        // SAFETY: as above; `old` came from `System`, as every block of ours.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        note(0, -(layout.size() as i64));
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

// === impl Count ===

impl Count {
    /// Counts from now on.
    #[must_use]
    pub fn start() -> Self {
        COUNT.store(0, Ordering::Relaxed);
        HELD.store(0, Ordering::Relaxed);
        ON.store(true, Ordering::Relaxed);
        Self(())
    }

    /// How many there were.
    #[must_use]
    pub fn stop(self) -> u64 {
        ON.store(false, Ordering::Relaxed);
        COUNT.load(Ordering::Relaxed)
    }
}

/// What `make` makes, and the bytes that it holds: as many as were asked for, without what the
/// allocator keeps for itself. Counts the whole process, which should do nothing else meanwhile.
pub fn weigh<T>(make: impl FnOnce() -> T) -> (T, i64) {
    let count = Count::start();
    let made = make();
    _ = count.stop();
    (made, HELD.load(Ordering::Relaxed))
}

/// What `run` answers, and how often memory was asked for meanwhile, by the whole process.
pub fn allocations<T>(run: impl FnOnce() -> T) -> (T, u64) {
    let count = Count::start();
    let answer = run();
    (answer, count.stop())
}

#[inline]
fn note(allocations: u64, bytes: i64) {
    if ON.load(Ordering::Relaxed) {
        COUNT.fetch_add(allocations, Ordering::Relaxed);
        HELD.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Count;
    use std::hint::black_box;

    #[test]
    fn every_box_is_counted_while_the_count_is_on() {
        let count = Count::start();
        for n in 0..100_u64 {
            drop(black_box(Box::new(n)));
        }
        let on = count.stop();
        drop(black_box(Box::new(0_u64)));

        // Other threads of the test binary may allocate meanwhile.
        assert!(on >= 100, "{on} of 100 boxes seen");
    }
}
