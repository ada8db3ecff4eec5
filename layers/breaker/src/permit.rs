//! What an admitted call holds until it has ended.

use crate::{
    circuit::{Circuit, Ticket},
    error::Refusal,
    window::{SEATS, seat},
};
use std::{array, fmt, sync::Arc};
use ziggurat_core::{
    Outcome, Record,
    clock::{self, Instant},
};

/// Tells the circuit how a call ended; the record of every response that a
/// [`Breaker`](crate::Breaker) answers with.
pub struct Permit {
    place: Arc<Place>,
    ticket: Ticket,
}

/// The circuit, as the clones of a service share it.
#[derive(Debug)]
pub(crate) struct Shared {
    circuit: Arc<Circuit>,
    places: [Arc<Place>; SEATS],
}

/// The circuit, as the calls of one thread share it.
///
/// A permit must keep the circuit alive, and two threads that count the references to one value
/// pay three times for it. So each seat has a value of its own, on cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
struct Place {
    circuit: Arc<Circuit>,
    seat: usize,
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(circuit: Circuit) -> Self {
        let circuit = Arc::new(circuit);
        let place = |seat| Place {
            circuit: Arc::clone(&circuit),
            seat,
        };
        Self {
            places: array::from_fn(|seat| Arc::new(place(seat))),
            circuit,
        }
    }

    pub(crate) const fn circuit(&self) -> &Arc<Circuit> {
        &self.circuit
    }

    /// What nearly every call is told. `None`: see [`admit_at`](Self::admit_at).
    // By force, as all that a call of a closed circuit does: what is returned through memory is read
    // back wider than it was written, for which the processor waits.
    #[inline(always)]
    pub(crate) fn admit_plainly(&self) -> Option<Permit> {
        let ticket = self.circuit.admit_plainly()?;
        Some(self.permit(seat() % SEATS, ticket))
    }

    /// What every other call is told.
    pub(crate) fn admit_at(&self, now: Instant) -> Result<Permit, Refusal> {
        let seat = seat() % SEATS;
        let ticket = self.circuit.admit_at(seat, now)?;
        Ok(self.permit(seat, ticket))
    }

    pub(crate) fn admit(&self) -> Result<Permit, Refusal> {
        let seat = seat() % SEATS;
        let ticket = self.circuit.admit(seat, clock::now)?;
        Ok(self.permit(seat, ticket))
    }

    #[inline(always)]
    fn permit(&self, seat: usize, ticket: Ticket) -> Permit {
        Permit {
            place: Arc::clone(&self.places[seat]),
            ticket,
        }
    }
}

// === impl Permit ===

impl Record for Permit {
    fn responded(&mut self) {
        self.place.circuit.responded(&mut self.ticket, clock::now);
    }

    #[inline(always)]
    fn settle(self, outcome: Outcome) {
        let Self { place, ticket } = self;
        place
            .circuit
            .settle(place.seat, ticket, outcome, clock::now);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("ticket", &self.ticket)
            .finish_non_exhaustive()
    }
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests {
    use super::*;
    use ziggurat_core::Recorder;

    #[test]
    fn what_travels_with_an_answer_is_four_words() {
        assert!(size_of::<Recorder<Permit>>() <= 32);
    }
}
