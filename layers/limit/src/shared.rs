//! The limit that all clones share.

use crate::{Limited, Observer, Rate, gcra::Gcra};
use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};
use ziggurat_core::{Live, clock::Instant};

/// A rate, and what came of it so far.
pub(crate) struct Shared {
    rate: Live<Rate>,
    gcra: Gcra,
    /// The moment of the first call: nobody needs a clock before.
    origin: OnceLock<Instant>,
    observer: Option<Arc<dyn Observer>>,
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(rate: Live<Rate>, observer: Option<Arc<dyn Observer>>) -> Self {
        Self {
            rate,
            gcra: Gcra::new(),
            origin: OnceLock::new(),
            observer,
        }
    }

    pub(crate) fn isolated(&self) -> Self {
        Self::new(self.rate.clone(), self.observer.clone())
    }

    pub(crate) fn with_observer(&self, observer: Arc<dyn Observer>) -> Self {
        Self::new(self.rate.clone(), Some(observer))
    }

    /// Takes the permit of one call.
    pub(crate) fn take(&self, clock: impl Fn() -> Instant) -> Result<(), Limited> {
        let now = clock();
        let origin = *self.origin.get_or_init(|| now);
        let present = || {
            let rate = self.rate.get();
            (rate, nanos(origin, clock()))
        };
        let taken = self.gcra.take(self.rate.get(), nanos(origin, now), present);
        taken.map_err(|nanos| {
            if let Some(observer) = &self.observer {
                observer.limited();
            }
            Limited::new(Duration::from_nanos(nanos))
        })
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

/// What is before the origin, by the clock of another thread, is at it.
fn nanos(origin: Instant, now: Instant) -> u64 {
    let since = now.saturating_duration_since(origin);
    let nanos = since.as_secs().saturating_mul(1_000_000_000);
    nanos.saturating_add(since.subsec_nanos().into())
}
