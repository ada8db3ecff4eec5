//! The limit that all clones share.

use crate::{
    Cause, Full, Observer, Settings,
    adaptive::Adaptive,
    gate::{Ask, Gate, Place, Tell, Verdict},
    meter::Lesson,
    permit::Permit,
    settings::index,
    wait::Wait,
};
use std::{fmt, sync::Arc};
use tokio::sync::{Notify, oneshot};
use ziggurat_core::{
    Criticality, Deadline, Live,
    clock::{self, Instant},
    contain,
};

/// A limit, and who is within it.
///
/// In this order, so that the word of the gate stands beside the count of the `Arc` around all this: a
/// call writes both when it begins and when it ends, and threads pass one line of cache to and fro, not two.
#[repr(C)]
pub(crate) struct Shared {
    gate: Gate<Ticket>,
    settings: Live<Settings>,
    adaptive: Option<Adaptive>,
    observer: Option<Arc<dyn Observer>>,
    /// For an endpoint: rings when there is room.
    room: Option<Arc<Notify>>,
    /// Whether whoever is called speaks for itself when it has no room.
    heeds_refusals: bool,
}

/// Through which a waiter hears.
#[derive(Debug)]
pub(crate) struct Ticket(oneshot::Sender<Verdict>);

/// What a call that found no permit at once gets.
pub(crate) enum Second {
    In(Permit),
    Waiting(Wait),
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(settings: Live<Settings>) -> Self {
        Self {
            settings,
            adaptive: None,
            observer: None,
            gate: Gate::new(),
            room: None,
            heeds_refusals: false,
        }
    }

    /// The same settings, and nobody within.
    pub(crate) fn isolated(&self) -> Self {
        Self {
            settings: self.settings.clone(),
            adaptive: self.adaptive.clone(),
            observer: self.observer.clone(),
            gate: Gate::new(),
            room: self.room.as_ref().map(|_| Arc::default()),
            heeds_refusals: self.heeds_refusals,
        }
    }

    pub(crate) fn adaptive(mut self, adaptive: Adaptive) -> Self {
        self.adaptive = Some(adaptive);
        self
    }

    pub(crate) fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    pub(crate) fn of_endpoint(mut self) -> Self {
        self.room = Some(Arc::default());
        self.heed_refusals(true)
    }

    pub(crate) const fn heed_refusals(mut self, heed: bool) -> Self {
        self.heeds_refusals = heed;
        self
    }

    pub(crate) const fn heeds_refusals(&self) -> bool {
        self.heeds_refusals
    }

    pub(crate) const fn gate(&self) -> &Gate<Ticket> {
        &self.gate
    }

    pub(crate) const fn room(&self) -> Option<&Arc<Notify>> {
        self.room.as_ref()
    }

    #[inline]
    pub(crate) const fn is_adaptive(&self) -> bool {
        self.adaptive.is_some()
    }

    pub(crate) fn limit(&self) -> u32 {
        self.settings.read(|settings| self.capped(settings))
    }

    /// Could a call of the lowest level in use enter, as far as one look tells?
    pub(crate) fn has_room(&self) -> bool {
        self.gate.waiting() == 0 && self.gate.out() < self.limit()
    }

    /// A permit, if one is left.
    #[inline]
    pub(crate) fn try_enter(self: &Arc<Self>, level: Criticality) -> Option<Permit> {
        let bound = |settings: &Settings| settings.bound(index(level), self.capped(settings));
        let in_flight = self.gate.try_enter(self.settings.read(bound))?;
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
        if queue.length == 0 && self.gate.waiting() == 0 {
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
        let place = self.gate.enter(ask, &bounds, queue, ticket);
        match (place, heard) {
            (Place::In(in_flight), _) => Ok(Second::In(self.permit(in_flight, || now))),
            (Place::Waiting { id, until }, Some(heard)) => {
                // The limit may have been raised since the last permit came back.
                self.gate.pass_on(&bounds, now);
                let shared = Arc::clone(self);
                let wait = Wait::new(shared, level, id, heard, now, until, deadline);
                Ok(Second::Waiting(wait))
            }
            _ if queue.length == 0 => Err(self.reject(level, Cause::Limit)),
            _ => Err(self.reject(level, Cause::Queue)),
        }
    }

    #[inline]
    pub(crate) fn permit(
        self: &Arc<Self>,
        in_flight: u32,
        now: impl FnOnce() -> Instant,
    ) -> Permit {
        // Nobody else needs the time.
        let timed = self.adaptive.as_ref().and_then(Adaptive::timed);
        let started = timed.map(|_| now());
        let stands_for = timed.unwrap_or(1);
        Permit::new(Arc::clone(self), in_flight, stands_for, started)
    }

    #[inline]
    pub(crate) fn leave(&self) {
        let bounds = || {
            self.settings
                .read(|settings| settings.bounds(self.capped(settings)))
        };
        self.gate.leave(bounds, clock::now);
        if let Some(room) = &self.room {
            room.notify_one();
        }
    }

    pub(crate) fn time_all(&self) {
        if let Some(adaptive) = &self.adaptive {
            adaptive.time_all();
        }
    }

    #[inline]
    pub(crate) fn learn(&self, now: Instant, lesson: Lesson, in_flight: u32) {
        let Some(adaptive) = &self.adaptive else {
            return;
        };
        let window = self.settings.read(Settings::span);
        let Some((from, to)) = adaptive.learn(now, lesson, in_flight, window) else {
            return;
        };
        if let Some(observer) = &self.observer {
            // It may be a call that panics whose end this is: no second panic may come out of it.
            contain(|| observer.limit_changed(from, to));
        }
        if to > from {
            self.raised(now);
        }
    }

    /// There is more room than there was: those who wait hear of it now, not when a call ends.
    #[cold]
    fn raised(&self, now: Instant) {
        if self.gate.waiting() > 0 {
            let bounds = |settings: &Settings| settings.bounds(self.capped(settings));
            self.gate.pass_on(&self.settings.read(bounds), now);
        }
        if let Some(room) = &self.room {
            room.notify_one();
        }
    }

    pub(crate) fn reject(&self, level: Criticality, cause: Cause) -> Full {
        if let Some(observer) = &self.observer {
            contain(|| observer.rejected(level, cause));
        }
        Full::new(cause, self.limit(), self.room.is_some())
    }

    pub(crate) fn waited(&self, level: Criticality, since: Instant, now: Instant) {
        if let Some(observer) = &self.observer {
            contain(|| observer.waited(level, now.saturating_duration_since(since)));
        }
    }

    #[inline]
    fn capped(&self, settings: &Settings) -> u32 {
        match &self.adaptive {
            Some(adaptive) => adaptive.limit().min(settings.limit()),
            None => settings.limit(),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("settings", &self.settings)
            .field("limit", &self.limit())
            .field("in_flight", &self.gate.out())
            .field("waiting", &self.gate.waiting())
            .finish_non_exhaustive()
    }
}

// === impl Ticket ===

impl Tell for Ticket {
    fn tell(self, verdict: Verdict) -> bool {
        self.0.send(verdict).is_ok()
    }
}
