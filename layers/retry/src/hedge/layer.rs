//! The configuration. Nothing happens here.

use super::{Hedge, Settings, service::Hedging};
use crate::{Budget, Methods, RetryLayer, latency::Latencies};
use std::{fmt, num::NonZeroU32, sync::Arc};
use tower_layer::Layer;
use ziggurat_core::{ByResult, Grpc, Http, Live};

/// Makes [`Hedge`] services, which all share one budget and one measure of how long answers take.
///
/// It stands in the place of a [`RetryLayer`], which it is made [over](Self::over): calls that are not
/// hedged go that one's way, and its budget and [settings](crate::Settings) hold for both.
#[derive(Clone)]
pub struct HedgeLayer<M = Grpc> {
    retry: RetryLayer<M>,
    settings: Live<Settings>,
    methods: Option<Live<Methods<Settings>>>,
    latencies: Arc<Latencies>,
}

// === impl HedgeLayer ===

impl HedgeLayer {
    /// Hedges gRPC calls; those that are not hedged are made once.
    pub fn new(settings: impl Into<Live<Settings>>) -> Self {
        Self::over(RetryLayer::new(once()), settings)
    }
}

impl Default for HedgeLayer {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl HedgeLayer<Http> {
    /// Hedges plain HTTP calls; those that are not hedged are made once.
    pub fn http(settings: impl Into<Live<Settings>>) -> Self {
        Self::over(RetryLayer::http(once()), settings)
    }
}

impl HedgeLayer<ByResult> {
    /// Hedges calls with plain values; those that are not hedged are made once.
    pub fn values(settings: impl Into<Live<Settings>>) -> Self {
        Self::over(RetryLayer::values(once()), settings)
    }
}

impl<M> HedgeLayer<M> {
    /// Hedges some calls, and leaves all others to `retry`: one budget pays for both, and one
    /// observer hears of both.
    pub fn over(retry: RetryLayer<M>, settings: impl Into<Live<Settings>>) -> Self {
        Self {
            retry,
            settings: settings.into(),
            methods: None,
            latencies: Arc::new(Latencies::new()),
        }
    }

    /// Some methods have settings of their own, as with the `hedgingPolicy` of a `methodConfig` of gRPC;
    /// all others, and requests without a method, have those of the layer.
    ///
    /// A `hedgingPolicy` hedges whatever its methods are called with, which is
    /// [`any_call`](Settings::any_call); [`Settings::off`] hedges none of them.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ziggurat_retry::{Methods, RetryLayer, hedge::{Delay, HedgeLayer, Settings}};
    ///
    /// let soon = Settings::new().delay(Delay::Fixed(Duration::from_millis(20)))?.any_call(true);
    /// let methods = Methods::new()
    ///     .on("/shop.Cart/", soon)?
    ///     .on("/shop.Cart/Put", Settings::off())?;
    /// let layer = HedgeLayer::over(RetryLayer::default(), Settings::off()).by_method(methods);
    /// # drop(layer);
    /// # Ok::<_, ziggurat_core::InvalidSetting>(())
    /// ```
    #[must_use]
    pub fn by_method(mut self, methods: impl Into<Live<Methods<Settings>>>) -> Self {
        self.methods = Some(methods.into());
        self
    }

    /// What the hedges and the retries of this layer draw on.
    #[must_use]
    pub const fn budget(&self) -> &Budget {
        self.retry.budget()
    }

    /// The same, with a budget, a measure and room for bodies of its own.
    #[must_use]
    pub fn isolated(self) -> Self {
        Self {
            retry: self.retry.isolated(),
            latencies: Arc::new(Latencies::new()),
            ..self
        }
    }
}

impl<S: Clone, M: Clone> Layer<S> for HedgeLayer<M> {
    type Service = Hedge<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        let hedging = Hedging {
            settings: self.settings.clone(),
            constant: self.settings.get(),
            methods: self.methods.clone(),
            latencies: Some(Arc::clone(&self.latencies)),
        };
        Hedge::new(self.retry.around(inner, hedging))
    }
}

impl<M: fmt::Debug> fmt::Debug for HedgeLayer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HedgeLayer")
            .field("retry", &self.retry)
            .field("settings", &self.settings)
            .field("methods", &self.methods)
            .finish_non_exhaustive()
    }
}

fn once() -> crate::Settings {
    crate::Settings::new().attempts(NonZeroU32::MIN)
}
