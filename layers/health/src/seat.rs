//! One endpoint's claim to its judge, shared by its clones.

use crate::judge::Judge;
use std::sync::Arc;
use ziggurat_core::{Availability, Reporter, State};

/// Exists as long as any clone of the endpoint does; calls alone do not count as being there.
#[derive(Debug)]
pub(crate) struct Seat {
    judge: Arc<Judge>,
    availability: Availability,
}

// === impl Seat ===

impl Seat {
    pub(crate) fn take(judge: Arc<Judge>, availability: Availability) -> Arc<Self> {
        let seat = Arc::new(Self {
            judge,
            availability,
        });
        seat.judge.enter(&seat);
        seat
    }

    pub(crate) const fn judge(&self) -> &Arc<Judge> {
        &self.judge
    }

    /// Does nobody but health object to calls?
    pub(crate) fn is_there(&self) -> bool {
        use Reporter::{Check, Circuit, Connection, Registry};
        [Connection, Registry, Check, Circuit]
            .iter()
            .all(|by| self.availability.reported(*by) <= State::Idle)
    }

    pub(crate) fn report(&self, state: State) {
        self.availability.report(Reporter::Health, state);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.judge.leave();
    }
}
