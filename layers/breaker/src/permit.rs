//! What an admitted call holds until it has ended.

use crate::{
    circuit::{Circuit, Ticket},
    window::SEATS,
};
use std::{array, fmt, sync::Arc};
use ziggurat_core::{BoxError, Outcome, Record, clock, seat};

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

    /// May a call be sent?
    // By force, as all that a call of a closed circuit does: what is brought together in memory is read
    // wider than it was written, for which the processor waits.
    #[inline(always)]
    pub(crate) fn admit(&self) -> Result<Permit, BoxError> {
        match self.circuit.admit_plainly() {
            Some(ticket) => Ok(self.permit(seat::among(SEATS), ticket)),
            None => self.admit_at(),
        }
    }

    /// The same; who is refused is not told why.
    pub(crate) fn admit_quietly(&self) -> Option<Permit> {
        let seat = seat::among(SEATS);
        let ticket = self.circuit.admit(seat, clock::now).ok()?;
        Some(self.permit(seat, ticket))
    }

    #[inline(never)]
    fn admit_at(&self) -> Result<Permit, BoxError> {
        let seat = seat::among(SEATS);
        match self.circuit.admit_at(seat, clock::now) {
            Ok(ticket) => Ok(self.permit(seat, ticket)),
            Err(refusal) => Err(refusal.into_error()),
        }
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
