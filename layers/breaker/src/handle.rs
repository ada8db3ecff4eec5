//! Looking at a circuit, and turning it by hand.

use crate::circuit::Circuit;
use std::sync::Arc;

/// Looks at a circuit, and turns it by hand; clones are of the same circuit.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Circuit>);

/// What a circuit does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum State {
    /// It sends every call.
    Closed = 0,
    /// It sends none, for a time; the first call after that finds it half-open.
    Open = 1,
    /// It sends a few to see whether the service is well again.
    HalfOpen = 2,
    /// It sends none until somebody resets it.
    ForcedOpen = 3,
}

// === impl Handle ===

impl Handle {
    pub(crate) const fn new(circuit: Arc<Circuit>) -> Self {
        Self(circuit)
    }

    /// The present state. Time alone changes none: a circuit is open until a call finds it due.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.state()
    }

    /// How often it opened, by itself or by hand.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.0.opened()
    }

    /// Opens the circuit until [`reset`](Self::reset).
    pub fn force_open(&self) {
        self.0.force_open();
    }

    /// Closes the circuit and forgets everything; calls that are under way do not count.
    pub fn reset(&self) {
        self.0.reset();
    }
}
