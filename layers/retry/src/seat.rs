//! A place for each thread, where it counts alone.
//!
//! An atomic that two threads write costs each of them four to nine times what it costs one. What has
//! a place for every seat is written by one thread at a time, without a locked instruction.

use self::sync::{AtomicU64, Ordering};
use std::{cell::Cell, fmt, sync::OnceLock};

/// How many threads have a place of their own; all others share one more.
pub(crate) const SEATS: usize = if cfg!(ziggurat_loom) { 2 } else { 16 };

/// One `T` for each seat, such as a handle: threads that count references apart do not wait for one
/// another.
pub(crate) struct PerSeat<T>([OnceLock<T>; SEATS + 1]);

/// Shares its cache line with nothing else.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Apart<T>(pub(crate) T);

/// Which seats are taken.
struct Seats(AtomicU64);

/// Gives the thread's seat back when it ends.
#[cfg_attr(
    ziggurat_loom,
    allow(dead_code, reason = "a model gives its threads seats of its own")
)]
struct Leave(usize);

/// The thread has not asked yet.
const UNASKED: usize = usize::MAX;

thread_local! {
    static SEAT: Cell<usize> = const { Cell::new(UNASKED) };
    static LEAVE: Cell<Option<Leave>> = const { Cell::new(None) };
}

#[cfg(not(ziggurat_loom))]
static TAKEN: Seats = Seats::new();

/// The seat of this thread, which no other living thread has; [`SEATS`] if there is none left.
#[inline]
pub(crate) fn seat() -> usize {
    match SEAT.get() {
        UNASKED => sit(),
        seat => seat,
    }
}

#[cold]
fn sit() -> usize {
    #[cfg(not(ziggurat_loom))]
    if let Some(seat) = TAKEN.take() {
        // While the thread ends there is nobody left to give it back.
        if LEAVE.try_with(|leave| leave.set(Some(Leave(seat)))).is_ok() {
            SEAT.set(seat);
            return seat;
        }
        TAKEN.free(seat);
    }
    SEAT.set(SEATS);
    SEATS
}

// === impl PerSeat ===

impl<T> PerSeat<T> {
    pub(crate) const fn new() -> Self {
        Self([const { OnceLock::new() }; SEATS + 1])
    }

    /// This thread's.
    #[inline]
    pub(crate) fn mine(&self, make: impl FnOnce() -> T) -> &T {
        self.0[seat()].get_or_init(make)
    }
}

impl<T> Default for PerSeat<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for PerSeat<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerSeat").finish_non_exhaustive()
    }
}

// === impl Seats ===

impl Seats {
    #[cfg(not(ziggurat_loom))]
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Takes a free seat, and sees whatever was written by whoever had it before.
    fn take(&self) -> Option<usize> {
        let mut taken = self.0.load(Ordering::Relaxed);
        loop {
            let seat = taken.trailing_ones() as usize;
            if seat >= SEATS {
                return None;
            }
            // Acquire: its last owner has let go of it by Release.
            match self.0.compare_exchange_weak(
                taken,
                taken | 1 << seat,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(seat),
                Err(current) => taken = current,
            }
        }
    }

    fn free(&self, seat: usize) {
        self.0.fetch_and(!(1 << seat), Ordering::Release);
    }
}

// === impl Leave ===

impl Drop for Leave {
    fn drop(&mut self) {
        // What this thread still counts while it ends, it counts with those that have no seat.
        SEAT.set(SEATS);
        #[cfg(not(ziggurat_loom))]
        TAKEN.free(self.0);
    }
}

mod sync {
    #[cfg(ziggurat_loom)]
    pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
    #[cfg(not(ziggurat_loom))]
    pub(super) use std::sync::atomic::{AtomicU64, Ordering};
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests;

#[cfg(ziggurat_loom)]
#[cfg(test)]
mod loom_tests;
