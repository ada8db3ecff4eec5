//! Which seats are taken, in one atomic word.

use self::sync::{AtomicU64, Ordering};
use super::OWN;

/// A bit for each seat.
pub(super) struct Taken(AtomicU64);

// === impl Taken ===

impl Taken {
    /// None is.
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Takes the first free seat, and sees whatever was written by whoever had it before.
    pub(super) fn take(&self) -> Option<usize> {
        let mut taken = self.0.load(Ordering::Relaxed);
        loop {
            let seat = taken.trailing_ones() as usize;
            if seat >= OWN {
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

    pub(super) fn free(&self, seat: usize) {
        self.0.fetch_and(!(1 << seat), Ordering::Release);
    }
}

// Not where core is only what a model stands on: loom is there for tests alone.
mod sync {
    #[cfg(all(test, ziggurat_loom))]
    pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
    #[cfg(not(all(test, ziggurat_loom)))]
    pub(super) use std::sync::atomic::{AtomicU64, Ordering};
}

/// With loom: every order in which two threads may take a seat, count on it, and leave it.
#[cfg(all(test, ziggurat_loom))]
mod loom_tests {
    use super::*;
    use loom::{sync::Arc, thread};

    #[test]
    fn loom_two_threads_never_sit_on_one_seat() {
        loom::model(|| {
            let seats = Arc::new(Taken::new());
            let other = Arc::clone(&seats);
            let theirs = thread::spawn(move || other.take());
            let mine = seats.take();
            assert_ne!(mine, theirs.join().unwrap());
        });
    }

    #[test]
    fn loom_who_sits_down_sees_what_the_one_before_has_counted() {
        loom::model(|| {
            // All but one are taken.
            let seats = Arc::new(Taken(AtomicU64::new(!1)));
            let count = Arc::new(AtomicU64::new(0));
            let both = (Arc::clone(&seats), Arc::clone(&count));
            let add = |seats: &Taken, count: &AtomicU64| {
                let Some(seat) = seats.take() else {
                    return 0;
                };
                // As a thread counts on a seat of its own: two of them at once would lose one.
                count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                seats.free(seat);
                1
            };
            let theirs = thread::spawn(move || add(&both.0, &both.1));
            let mine = add(&seats, &count);
            let added = mine + theirs.join().unwrap();
            assert_eq!(count.load(Ordering::Relaxed), added);
        });
    }
}
