//! A place for each thread, where it writes alone.
//!
//! An atomic that two threads write costs each of them four to nine times what it costs one. So what
//! every call writes is kept several times, each [`Apart`] from the others, and every thread writes to
//! the one that belongs to its seat. Who wants to know the whole adds them up.
//!
//! ```
//! use std::sync::atomic::{AtomicU64, Ordering};
//! use ziggurat_core::seat::{self, Apart};
//!
//! /// Counts calls, by up to four threads without contention.
//! #[derive(Default)]
//! struct Calls([Apart<AtomicU64>; 4]);
//!
//! impl Calls {
//!     fn begin(&self) {
//!         let Apart(mine) = &self.0[seat::among(4)];
//!         mine.fetch_add(1, Ordering::Relaxed);
//!     }
//!
//!     fn begun(&self) -> u64 {
//!         self.0.iter().map(|Apart(each)| each.load(Ordering::Relaxed)).sum()
//!     }
//! }
//!
//! let calls = Calls::default();
//! std::thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(|| calls.begin()))));
//! assert_eq!(calls.begun(), 8);
//! ```

mod taken;

use self::taken::Taken;
use std::{
    cell::Cell,
    fmt,
    sync::{
        LazyLock, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// One `T` for each [place], made by the first thread that needs it. Of handles, such as
/// `Arc<Apart<Arc<T>>>`: threads that count references apart do not wait for one another.
pub struct PerSeat<T>([OnceLock<T>; PLACES]);

/// Shares its cache line with nothing else, nor the one beside it: processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Apart<T>(pub T);

/// Gives the thread's seat back when it ends.
struct Leave(usize);

/// So many threads at a time have a seat that no other living thread has.
pub const OWN: usize = if cfg!(ziggurat_loom) { 2 } else { 16 };

/// A place for each of these seats, and one for all threads that have none of them.
pub const PLACES: usize = OWN + 1;

/// The thread has not asked yet.
const UNASKED: usize = usize::MAX;

/// Which threads have seats of their own.
static TAKEN: LazyLock<Taken> = LazyLock::new(Taken::new);
/// How many threads found none left.
static STANDING: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static PLACE: Cell<usize> = const { Cell::new(UNASKED) };
    /// Of a thread without a seat of its own, the how-manieth of them it is.
    static TURN: Cell<usize> = const { Cell::new(UNASKED) };
    static LEAVE: Cell<Option<Leave>> = const { Cell::new(None) };
}

// === impl PerSeat ===

impl<T> PerSeat<T> {
    /// None is made yet.
    #[must_use]
    pub const fn new() -> Self {
        Self([const { OnceLock::new() }; PLACES])
    }

    /// This thread's.
    #[inline]
    pub fn mine(&self, make: impl FnOnce() -> T) -> &T {
        self.0[place()].get_or_init(make)
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

// === impl Leave ===

impl Drop for Leave {
    fn drop(&mut self) {
        // What this thread still writes while it ends, it writes with those that have no seat.
        PLACE.set(OWN);
        TAKEN.free(self.0);
    }
}

/// Which of [`PLACES`] is this thread's, from its first question until it ends.
///
/// Below [`OWN`] no other living thread has it, and whoever takes it over sees what the one before
/// wrote: no locked instruction is needed to count there.
#[must_use]
#[inline]
pub fn place() -> usize {
    match PLACE.get() {
        UNASKED => sit(),
        place => place,
    }
}

/// Which of so many places is this thread's, where threads may share one: below `places`. They do only
/// if more than so many, or than [`OWN`], lived at once.
///
/// # Panics
///
/// If there are no places.
#[must_use]
#[inline]
pub fn among(places: usize) -> usize {
    let place = PLACE.get();
    if place < OWN {
        return place % places;
    }
    seldom() % places
}

/// The number of a thread that has no seat yet, or none of its own.
#[cold]
fn seldom() -> usize {
    match place() {
        OWN => turn(),
        own => own,
    }
}

#[cold]
fn sit() -> usize {
    if let Some(seat) = TAKEN.take() {
        // While the thread ends there is nobody left to give it back.
        if LEAVE.try_with(|leave| leave.set(Some(Leave(seat)))).is_ok() {
            PLACE.set(seat);
            return seat;
        }
        TAKEN.free(seat);
    }
    PLACE.set(OWN);
    OWN
}

/// In turn: where threads must share places, they spread over all of them.
fn turn() -> usize {
    match TURN.get() {
        UNASKED => {
            let turn = STANDING.fetch_add(1, Ordering::Relaxed);
            TURN.set(turn);
            turn
        }
        turn => turn,
    }
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests;
