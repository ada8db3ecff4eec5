//! The limit that all clones share.

use crate::{
    Cause, Full, Observer, Settings,
    adaptive::Adaptive,
    gate::{Gate, Tell, Verdict},
    meter::Lesson,
};
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use tokio::sync::{Notify, oneshot};
use ziggurat_core::{
    Criticality, Live,
    clock::{self, Instant},
};

/// A limit, and who is within it.
///
/// In this order, so that the word of the gate has a line of cache without what calls read: it is all that
/// a call writes where other threads write, too, once when it begins and once when it ends.
#[repr(C, align(128))]
pub(crate) struct Shared {
    gate: Gate<Ticket>,
    pub(crate) settings: Live<Settings>,
    pub(crate) adaptive: Option<Adaptive>,
    observer: Option<Arc<dyn Observer>>,
    /// For an endpoint: rings when there is room.
    room: Option<Arc<Notify>>,
}

/// Through which a waiter hears.
#[derive(Debug)]
pub(crate) struct Ticket(pub(crate) oneshot::Sender<Verdict>);

// === impl Shared ===

impl Shared {
    pub(crate) fn new(settings: Live<Settings>) -> Self {
        Self {
            settings,
            adaptive: None,
            observer: None,
            gate: Gate::new(),
            room: None,
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
        self
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
            let tell = AssertUnwindSafe(|| observer.limit_changed(from, to));
            _ = catch_unwind(tell);
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
            observer.rejected(level, cause);
        }
        Full::new(cause, self.limit(), self.room.is_some())
    }

    pub(crate) fn waited(&self, level: Criticality, since: Instant, now: Instant) {
        if let Some(observer) = &self.observer {
            observer.waited(level, now.saturating_duration_since(since));
        }
    }

    #[inline]
    pub(crate) fn capped(&self, settings: &Settings) -> u32 {
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
