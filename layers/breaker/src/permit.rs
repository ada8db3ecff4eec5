//! What an admitted call holds until it has ended.

use crate::{
    circuit::{Circuit, Ticket},
    error::Refusal,
    window::{SEATS, seat},
};
use std::{array, fmt, sync::Arc};
use ziggurat_core::{Outcome, Record, clock};

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

    #[inline(always)]
    pub(crate) fn admit(&self) -> Result<Permit, Refusal> {
        let seat = seat() % SEATS;
        let ticket = self.circuit.admit(seat, clock::now)?;
        Ok(Permit {
            place: Arc::clone(&self.places[seat]),
            ticket,
        })
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
