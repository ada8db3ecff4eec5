//! Who hands a call to a connection, and that it does not end meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Holds the end of a connection back while calls are handed to it.
///
/// h2 does not give the head of a request back whose connection has ended. So whoever opens a stream
/// stands in the door meanwhile; and what ends the connection, which is read in another task, is not
/// shown to h2 before the door is shut and nobody stands in it.
///
/// ```text
/// open: enter ── h2 ── leave        read: GOAWAY ── shut ── somebody inside: again
///         └ shut: to the next one                     └ nobody: h2
/// ```
#[derive(Debug, Default)]
pub(crate) struct Door(AtomicUsize);

/// Somebody opens a stream; dropped, it is open.
#[derive(Debug)]
pub(crate) struct Inside<'d>(&'d Door);

/// In one word with those inside: nobody may come in after it was seen that nobody is.
const SHUT: usize = 1;
const ONE: usize = 2;

// === impl Door ===

impl Door {
    /// `None`: it is shut, and the connection ends.
    pub(crate) fn enter(&self) -> Option<Inside<'_>> {
        // Acquire: what is done inside stays behind it.
        let before = self.0.fetch_add(ONE, Ordering::Acquire);
        let inside = Inside(self);
        (before & SHUT == 0).then_some(inside)
    }

    /// Lets nobody in any more. Is nobody inside?
    pub(crate) fn shut(&self) -> bool {
        // Acquire pairs with the Release of who leaves: what they did has been done.
        self.0.fetch_or(SHUT, Ordering::Acquire) & !SHUT == 0
    }
}

// === impl Inside ===

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(ONE, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn who_is_inside_leaves_before_the_end_and_nobody_comes_after_it() {
        let door = Door::default();
        let (one, other) = (door.enter().unwrap(), door.enter().unwrap());
        assert!(!door.shut());
        assert!(door.enter().is_none());
        drop(one);
        assert!(!door.shut());
        drop(other);
        assert!(door.shut());
        assert!(door.enter().is_none() && door.shut());
    }

    #[test]
    fn nobody_meets_the_end_inside() {
        for _ in 0..200 {
            let (door, over) = (Door::default(), AtomicBool::new(false));
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        while let Some(_inside) = door.enter() {
                            assert!(!over.load(Ordering::Relaxed));
                        }
                    });
                }
                while !door.shut() {
                    std::thread::yield_now();
                }
                over.store(true, Ordering::Relaxed);
            });
        }
    }
}
