//! What a stack is built with.

use crate::{Faults, Faulty, Observer, active::Count, service::Shared};
use std::{fmt, sync::Arc};
use tower_layer::Layer;
use ziggurat_core::{Dice, Live};

/// Injects faults into the calls of the services that it wraps.
#[derive(Clone)]
pub struct FaultLayer {
    faults: Live<Faults>,
    dice: Dice,
    active: Count,
    observer: Option<Arc<dyn Observer>>,
}

// === impl FaultLayer ===

impl FaultLayer {
    /// Injects these faults.
    pub fn new(faults: impl Into<Live<Faults>>) -> Self {
        Self {
            faults: faults.into(),
            dice: Dice::new(),
            active: Count::default(),
            observer: None,
        }
    }

    /// Chooses the same requests each time, if they come in the same order.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.dice = Dice::seeded(seed);
        self
    }

    /// Tells `observer` what happens.
    #[must_use]
    pub fn observe_with(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// How many calls have a fault at this time.
    #[must_use]
    pub fn active(&self) -> usize {
        self.active.get()
    }
}

impl<S> Layer<S> for FaultLayer {
    type Service = Faulty<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let shared = Shared {
            faults: self.faults.clone(),
            dice: self.dice.clone(),
            active: self.active.clone(),
            observer: self.observer.clone(),
        };
        Faulty::new(inner, shared)
    }
}

impl fmt::Debug for FaultLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultLayer")
            .field("faults", &self.faults)
            .field("active", &self.active.get())
            .finish_non_exhaustive()
    }
}
