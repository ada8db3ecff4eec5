//! The limit that all clones share.

use crate::{Observer, Rate, error::Refusal, striped::Striped};
use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};
use ziggurat_core::{BoxError, Live, clock, clock::Instant, contain};

/// A rate, and what came of it so far; on lines of cache of its own, as clones count themselves beside it.
#[repr(align(128))]
pub(crate) struct Shared {
    rate: Live<Rate>,
    limit: Striped,
    origin: Origin,
    pub(crate) observer: Told,
}

/// The moment of the first call: nobody needs a clock before.
#[derive(Debug, Default)]
pub(crate) struct Origin(OnceLock<Instant>);

/// Who is told, if anybody.
#[derive(Clone, Default)]
pub(crate) struct Told(Option<Arc<dyn Observer>>);

// === impl Shared ===

impl Shared {
    pub(crate) fn new(rate: Live<Rate>, observer: Told) -> Self {
        Self {
            rate,
            limit: Striped::new(),
            origin: Origin::default(),
            observer,
        }
    }

    pub(crate) fn isolated(&self) -> Self {
        Self::new(self.rate.clone(), self.observer.clone())
    }

    pub(crate) fn with_observer(&self, observer: Told) -> Self {
        Self::new(self.rate.clone(), observer)
    }

    /// Takes what a call costs.
    // As a whole: the way from a refusal to its error is not worth a call, and none through memory.
    #[inline(never)]
    pub(crate) fn take(&self, cost: u32) -> Result<(), BoxError> {
        let refusal = match self.try_take(cost) {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal,
        };
        self.observer.hear(&refusal);
        Err(refusal.into())
    }

    /// Takes what a call costs, and tells nobody.
    #[inline(always)]
    pub(crate) fn try_take(&self, cost: u32) -> Result<(), Refusal> {
        self.take_at(cost, self.origin.nanos())
    }

    /// The same, also where time [is held](clock::hold): for who has waited.
    pub(crate) fn try_take_presently(&self, cost: u32) -> Result<(), Refusal> {
        self.take_at(cost, self.origin.present())
    }

    #[inline(always)]
    fn take_at(&self, cost: u32, now: u64) -> Result<(), Refusal> {
        let present = || (self.rate.get(), self.origin.present());
        let rate = self.rate.get();
        affordable(rate, cost)?;
        let taken = self.limit.take(rate, cost, now, present);
        taken.map_err(|nanos| Refusal::Limited(Duration::from_nanos(nanos)))
    }

    /// How long it takes until so many single calls could be admitted.
    pub(crate) fn wait(&self, cost: u64) -> Duration {
        let (rate, now) = (self.rate.get(), self.origin.nanos());
        Duration::from_nanos(self.limit.wait(rate, cost, now))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

// === impl Origin ===

impl Origin {
    /// Nanoseconds from the first call till now. What is before it, by the clock of another thread,
    /// is at it.
    #[inline]
    pub(crate) fn nanos(&self) -> u64 {
        self.until(clock::now())
    }

    /// As [`nanos`](Self::nanos), also where time [is held](clock::hold): not before anything that this
    /// thread has seen of another.
    #[cold]
    pub(crate) fn present(&self) -> u64 {
        self.until(clock::present())
    }

    #[inline]
    fn until(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(*self.0.get_or_init(|| now));
        let nanos = since.as_secs().saturating_mul(1_000_000_000);
        nanos.saturating_add(since.subsec_nanos().into())
    }
}

// === impl Told ===

impl Told {
    pub(crate) fn new(observer: impl Observer) -> Self {
        Self(Some(Arc::new(observer)))
    }

    pub(crate) fn tell(&self, what: impl FnOnce(&dyn Observer)) {
        if let Some(observer) = &self.0 {
            contain(|| what(&**observer));
        }
    }

    pub(crate) fn hear(&self, refusal: &Refusal) {
        self.tell(|observer| match refusal {
            Refusal::Limited(_) => observer.limited(),
            Refusal::TooCostly { .. } | Refusal::KeyTooLong(_) => observer.refused(),
        });
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "observed" } else { "-" })
    }
}

/// What is above the burst is never admitted.
pub(crate) const fn affordable(rate: Rate, cost: u32) -> Result<(), Refusal> {
    let burst = rate.at_once();
    if cost > burst {
        return Err(Refusal::TooCostly { cost, burst });
    }
    Ok(())
}
