//! One endpoint, without its service.

use crate::stats::Stats;
use std::sync::Arc;
use ziggurat_core::{Availability, Reporter, State};

#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    stats: Arc<Stats>,
    availability: Availability,
    weight: u32,
    /// Which of those that had the name one after the other.
    incarnation: u32,
}

#[cfg(test)]
thread_local! {
    /// How often this thread looked at one.
    pub(crate) static LOOKS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

// === impl Candidate ===

impl Candidate {
    /// Takes the place of whoever had the statistics before.
    pub(crate) fn new(stats: Arc<Stats>, availability: Availability, weight: u32) -> Self {
        let incarnation = stats.succeed();
        Self {
            stats,
            availability,
            weight,
            incarnation,
        }
    }

    /// Gives the place up.
    pub(crate) fn leave(&self) {
        self.stats.succeed();
    }

    /// Was it removed or replaced? Calls that have it go on, calls that wait for it look elsewhere.
    pub(crate) fn is_gone(&self) -> bool {
        self.stats.incarnation() != self.incarnation
    }

    pub(crate) const fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    pub(crate) const fn weight(&self) -> u32 {
        self.weight
    }

    #[inline]
    pub(crate) fn state(&self) -> State {
        self.availability.state()
    }

    /// What it is good for, which is noted.
    #[inline]
    pub(crate) fn look(&self) -> State {
        #[cfg(test)]
        LOOKS.set(LOOKS.get() + 1);
        let state = self.state();
        self.stats.seen(state);
        state
    }

    /// May it be chosen, when nobody else may?
    pub(crate) fn is_last_resort(&self) -> bool {
        self.opens(self.state(), true)
    }

    /// Is it being connected, and not after having failed to be?
    pub(crate) fn is_on_its_way(&self) -> bool {
        self.look() == State::Connecting && !self.stats.is_out()
    }

    #[inline]
    pub(crate) fn opens(&self, state: State, last_resort: bool) -> bool {
        let said = |by| self.availability.reported(by);
        match state {
            State::Ready | State::Idle => true,
            State::Ejected if last_resort => {
                said(Reporter::Connection) == State::Ready
                    && said(Reporter::Registry) == State::Ready
                    // Who says of itself that it does not serve is not asked to.
                    && said(Reporter::Check) == State::Ready
            }
            _ => false,
        }
    }
}
