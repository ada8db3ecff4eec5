//! What the clones of a service share: the limit, and the ways into it.

use crate::{
    Cause, Full, Settings,
    adaptive::Adaptive,
    gate::{Ask, Place},
    permit::Permit,
    settings::index,
    shared::{Shared, Ticket},
    wait::Wait,
};
use std::{fmt, ops::Deref, sync::Arc};
use tokio::sync::oneshot;
use ziggurat_core::{
    Criticality, Deadline,
    clock::{self, Instant},
    seat::Spread,
};

/// A limit, which every permit keeps alive; on lines of cache of its own, as clones count themselves
/// beside it.
#[repr(align(128))]
pub(crate) struct Common(Spread<Shared>);

/// What a call that found no permit at once gets.
pub(crate) enum Second {
    In(Permit),
    Waiting(Wait),
}

// === impl Common ===

impl Common {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Spread::new(shared))
    }

    /// A permit, if one is left.
    #[inline]
    pub(crate) fn try_enter(&self, level: Criticality) -> Option<Permit> {
        let bound = |settings: &Settings| settings.bound(index(level), self.capped(settings));
        let in_flight = self.gate().try_enter(self.settings.read(bound))?;
        Some(self.permit(in_flight, clock::now))
    }

    /// A permit after all, or a place in the line.
    pub(crate) fn enter(
        self: &Arc<Self>,
        level: Criticality,
        deadline: impl FnOnce() -> Option<Deadline>,
    ) -> Result<Second, Full> {
        self.time_all();
        let settings = self.settings.get();
        let queue = settings.waiters();
        if queue.length == 0 && self.gate().waiting() == 0 {
            return Err(self.reject(level, Cause::Limit));
        }
        let (now, deadline) = (clock::now(), deadline());
        if deadline.is_some_and(|deadline| deadline.is_over(now)) {
            return Err(self.reject(level, Cause::Deadline));
        }
        let ask = Ask {
            level: index(level),
            now,
            deadline: deadline.map(Deadline::instant),
        };
        let mut heard = None;
        let ticket = || {
            let (tell, hear) = oneshot::channel();
            heard = Some(hear);
            Ticket(tell)
        };
        let bounds = settings.bounds(self.capped(&settings));
        let place = self.gate().enter(ask, &bounds, queue, ticket);
        match (place, heard) {
            (Place::In(in_flight), _) => Ok(Second::In(self.permit(in_flight, || now))),
            (Place::Waiting { id, until }, Some(heard)) => {
                // The limit may have been raised since the last permit came back.
                self.gate().pass_on(&bounds, now);
                let common = Arc::clone(self);
                let wait = Wait::new(common, level, id, heard, now, until, deadline);
                Ok(Second::Waiting(wait))
            }
            _ if queue.length == 0 => Err(self.reject(level, Cause::Limit)),
            _ => Err(self.reject(level, Cause::Queue)),
        }
    }

    #[inline]
    pub(crate) fn permit(&self, in_flight: u32, now: impl FnOnce() -> Instant) -> Permit {
        // Nobody else needs the time.
        let timed = self.adaptive.as_ref().and_then(Adaptive::timed);
        let started = timed.map(|_| now());
        let stands_for = timed.unwrap_or(1);
        Permit::new(self.0.own(), in_flight, stands_for, started)
    }
}

impl Deref for Common {
    type Target = Shared;

    #[inline]
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl fmt::Debug for Common {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
