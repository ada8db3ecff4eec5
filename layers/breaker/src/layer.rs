//! The layer: the settings and the circuit.

use crate::{Breaker, Handle, Observer, Permit, Settings, circuit::Circuit, permit::Shared};
use std::sync::Arc;
use tower_layer::Layer;
use ziggurat_core::{BoxError, Dice, Grpc, Live};

/// Puts services behind a circuit: all that one layer value and its clones wrap share it.
#[derive(Clone, Debug)]
pub struct BreakerLayer<C = Grpc> {
    shared: Arc<Shared>,
    classifier: C,
}

// === impl BreakerLayer ===

impl Default for BreakerLayer {
    fn default() -> Self {
        Self::new(Settings::new())
    }
}

impl BreakerLayer {
    /// A circuit by these settings, which reads outcomes as gRPC defines them.
    pub fn new(settings: impl Into<Live<Settings>>) -> Self {
        let circuit = Circuit::new(settings.into(), Dice::new(), None);
        Self {
            shared: Arc::new(Shared::new(circuit)),
            classifier: Grpc,
        }
    }
}

impl<C> BreakerLayer<C> {
    /// Around a circuit that others know, too.
    pub(crate) const fn of(shared: Arc<Shared>, classifier: C) -> Self {
        Self { shared, classifier }
    }

    /// Reads outcomes by `classifier`: `ByResult` for services of plain values.
    #[must_use]
    pub fn classify_with<D>(self, classifier: D) -> BreakerLayer<D> {
        BreakerLayer {
            shared: self.shared,
            classifier,
        }
    }

    /// Tells `observer` what happens. This starts a new circuit, as [`isolated`](Self::isolated)
    /// does.
    #[must_use]
    pub fn observe_with(self, observer: impl Observer) -> Self {
        let circuit = self.circuit().with_observer(Arc::new(observer));
        self.around(circuit)
    }

    /// Draws jitter from `dice`. This starts a new circuit, as [`isolated`](Self::isolated) does.
    #[must_use]
    pub fn dice(self, dice: Dice) -> Self {
        let circuit = self.circuit().with_dice(dice);
        self.around(circuit)
    }

    /// A circuit of its own, by the same settings.
    #[must_use]
    pub fn isolated(&self) -> Self
    where
        C: Clone,
    {
        let circuit = self.circuit().isolated();
        self.clone().around(circuit)
    }

    /// Looks at the circuit, and turns it by hand.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle::new(Arc::clone(self.circuit()))
    }

    pub(crate) fn admit(&self) -> Result<Permit, BoxError> {
        self.shared.admit()
    }

    fn around(self, circuit: Circuit) -> Self {
        Self {
            shared: Arc::new(Shared::new(circuit)),
            ..self
        }
    }

    fn circuit(&self) -> &Arc<Circuit> {
        self.shared.circuit()
    }
}

impl<S, C: Clone> Layer<S> for BreakerLayer<C> {
    type Service = Breaker<S, C>;

    fn layer(&self, inner: S) -> Breaker<S, C> {
        Breaker::new(inner, Arc::clone(&self.shared), self.classifier.clone())
    }
}
