//! The configuration. Nothing happens here.

use super::{Hedge, Settings, service::Hedging};
use crate::{Budget, RetryLayer, latency::Latencies};
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
            latencies: Arc::new(Latencies::new()),
        }
    }

    /// What the hedges and the retries of this layer draw on.
    #[must_use]
    pub const fn budget(&self) -> &Budget {
        self.retry.budget()
    }

    /// The same, with a budget, a measure and room for bodies of its own.
    #[must_use]
    pub fn isolated(self) -> Self {
        Self::over(self.retry.isolated(), self.settings)
    }
}

impl<S: Clone, M: Clone> Layer<S> for HedgeLayer<M> {
    type Service = Hedge<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        let hedging = Hedging {
            settings: self.settings.clone(),
            constant: self.settings.get(),
            latencies: Arc::clone(&self.latencies),
        };
        Hedge::new(self.retry.layer(inner), Arc::new(hedging))
    }
}

impl<M: fmt::Debug> fmt::Debug for HedgeLayer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HedgeLayer")
            .field("retry", &self.retry)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

fn once() -> crate::Settings {
    crate::Settings::new().attempts(NonZeroU32::MIN)
}
