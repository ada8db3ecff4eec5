//! Looking at a circuit, and turning it by hand.

use crate::{Events, circuit::Circuit};
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
    /// It was open, and takes more and more of the load, until all
    /// ([`Settings::ramp`](crate::Settings::ramp)).
    Recovering = 4,
    /// It rejects a share of the calls ([`Settings::adaptive`](crate::Settings::adaptive)).
    Throttling = 5,
    /// It sends every call and counts none, until somebody resets it.
    Disabled = 6,
    /// It sends every call and counts what it would, until somebody resets it.
    MetricsOnly = 7,
}

/// The calls in a circuit's window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// How many succeeded.
    pub successes: u64,
    /// How many failed.
    pub failures: u64,
    /// How many of either were slow; none unless [`Settings::slow_calls`](crate::Settings::slow_calls)
    /// says what is.
    pub slow: u64,
}

// === impl State ===

impl State {
    /// Every state there is: what a gauge is kept for.
    pub const ALL: &'static [Self] = &[
        Self::Closed,
        Self::Open,
        Self::HalfOpen,
        Self::ForcedOpen,
        Self::Recovering,
        Self::Throttling,
        Self::Disabled,
        Self::MetricsOnly,
    ];

    /// Its name in a label: lower case, words joined by `_`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::Recovering => "recovering",
            Self::Throttling => "throttling",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics_only",
        }
    }
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

    /// What is in the window now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.counts()
    }

    /// What happens to the circuit from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.0.events()
    }

    /// Sends every call and counts none until [`reset`](Self::reset).
    pub fn disable(&self) {
        self.0.disable();
    }

    /// Sends every call and only counts until [`reset`](Self::reset).
    pub fn metrics_only(&self) {
        self.0.metrics_only();
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
