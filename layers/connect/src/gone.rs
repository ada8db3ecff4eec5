//! Which streams of a connection we have given up.

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

/// The last streams that were reset by us, each for as long as none whose number falls on the same
/// place is.
///
/// What the peer sent before it heard of it still comes. h2 passes over it, but counts it.
#[derive(Debug, Default)]
pub(crate) struct Gone(OnceLock<Box<[AtomicU32]>>);

/// So many places: 4 KiB on a connection on which anything was given up.
const PLACES: usize = 1_024;

// === impl Gone ===

impl Gone {
    /// h2 has reset this stream, or knows that it is over.
    pub(crate) fn note(&self, stream: u32) {
        let places = self
            .0
            .get_or_init(|| (0..PLACES).map(|_| AtomicU32::new(0)).collect());
        // Release: who finds it here finds it reset in h2.
        places[place(stream)].store(stream, Ordering::Release);
    }

    /// Was it reset, for certain?
    pub(crate) fn has(&self, stream: u32) -> bool {
        let places = self.0.get();
        // Acquire pairs with the Release above.
        places.is_some_and(|places| places[place(stream)].load(Ordering::Acquire) == stream)
    }
}

/// Ours are the odd ones.
const fn place(stream: u32) -> usize {
    (stream / 2) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_known_and_nobody_else_is() {
        let gone = Gone::default();
        assert!(!gone.has(1));
        let last = 2 * PLACES as u32 + 9;
        for stream in (1..=last).step_by(2) {
            assert!(!gone.has(stream));
            gone.note(stream);
            assert!(gone.has(stream));
        }
        assert!(gone.has(last) && gone.has(11));
        assert!(!gone.has(9), "another took its place");
        assert!(!gone.has(0x7fff_ffff));
    }
}
