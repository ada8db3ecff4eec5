//! The one clock: tokio's, so that a paused runtime tests everything.
//!
//! What decides takes `now` as an argument; only the service around it asks here. This is the one
//! place where the cost of reading the time can be changed for every layer at once.

use std::{cell::Cell, fmt, marker::PhantomData};

pub use tokio::time::Instant;

/// What the time is, as far as this thread knows.
#[derive(Clone, Copy)]
enum Held {
    /// Whoever asks reads the clock.
    Not,
    /// The first who asks reads it.
    Unread,
    At(Instant),
}

/// Time stands still on this thread until this is dropped: see [`holding`].
#[must_use = "time stands still until this is dropped"]
pub struct Holding {
    before: Held,
    /// It belongs to its thread.
    here: PhantomData<*const ()>,
}

thread_local! {
    static HELD: Cell<Held> = const { Cell::new(Held::Not) };
}

/// The present moment, on the monotonic clock that `tokio::time::pause` stops; inside of [`hold`],
/// the moment at which it was first asked for there.
///
/// Outside a runtime it is the system's monotonic clock; it never panics.
#[must_use]
#[inline]
pub fn now() -> Instant {
    match HELD.get() {
        Held::Not => Instant::now(),
        Held::At(now) => now,
        Held::Unread => {
            let now = Instant::now();
            HELD.set(Held::At(now));
            now
        }
    }
}

/// The present moment, also inside of [`hold`]: for who compares it with what other threads wrote
/// meanwhile, to which a moment that stands still is late.
#[must_use]
#[inline]
pub fn present() -> Instant {
    Instant::now()
}

/// Runs `f`, in which time stands still: the clock is read once, however many layers ask.
///
/// For a `call` or a poll that goes through many of them and takes microseconds. What takes longer
/// is no later for it: code that may block inside, and has waited, asks for the [`present`].
///
/// ```
/// use ziggurat_core::clock;
///
/// let (one, other) = clock::hold(|| (clock::now(), clock::now()));
/// assert_eq!(one, other);
/// ```
#[inline]
pub fn hold<T>(f: impl FnOnce() -> T) -> T {
    let _holding = holding();
    f()
}

/// [`hold`], until what is returned is dropped: for what is too large to be moved into a closure.
#[inline]
pub fn holding() -> Holding {
    let before = HELD.get();
    if matches!(before, Held::Not) {
        HELD.set(Held::Unread);
    }
    let here = PhantomData;
    Holding { before, here }
}

// === impl Holding ===

/// Also when what runs panics.
impl Drop for Holding {
    #[inline]
    fn drop(&mut self) {
        // What is inside of another `hold` leaves what it has read to that.
        if matches!(self.before, Held::Not) {
            HELD.set(Held::Not);
        }
    }
}

impl fmt::Debug for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holding").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{panic, thread, time::Duration};

    const MILLI: Duration = Duration::from_millis(1);

    // Real time: the system's clock is what is read once.
    #[test]
    fn time_stands_still_inside_and_goes_on_outside() {
        let pass = || {
            let began = Instant::now();
            while began.elapsed() < MILLI {
                thread::yield_now();
            }
        };
        let before = now();
        let (first, last) = hold(|| {
            let first = now();
            pass();
            let inner = hold(now);
            pass();
            assert_eq!(inner, first);
            assert!(present() > first);
            (first, now())
        });
        assert_eq!(first, last);
        assert!(first >= before);
        assert!(now() >= last + 2 * MILLI);
        let holding = holding();
        let first = now();
        pass();
        assert_eq!(now(), first);
        drop(holding);
        panic::catch_unwind(|| hold(|| panic!("on purpose"))).unwrap_err();
        let before = now();
        pass();
        assert!(now() > before);
    }
}
