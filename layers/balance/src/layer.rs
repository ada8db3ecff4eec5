//! Turns the discovery of a service into the service.

use crate::{
    Arrange, Balance, LoadReports, Observer, P2c, RoundRobin, Settings, driver::Driver,
    facts::Facts, follow::follow, hub::Hub,
};
use std::{fmt, sync::Arc};
use tower::discover::Discover;
use tower_layer::Layer;
use ziggurat_core::{BoxError, Dice, Endpoint, EndpointId, Grpc, Live, Named};

/// Makes a [`Balance`] of a stream of endpoints.
///
/// Each service it makes has a state of its own, as it has a stream of its own.
#[derive(Clone)]
pub struct BalanceLayer<C = Grpc, P = P2c> {
    classify: C,
    policy: P,
    settings: Live<Settings>,
    observer: Option<Arc<dyn Observer>>,
}

// === impl BalanceLayer ===

impl BalanceLayer {
    /// Takes the better of two endpoints drawn at random, by their latency, their failures and what
    /// is pending there; reads outcomes as gRPC says them.
    ///
    /// # Defaults
    ///
    /// The classifier is [`Grpc`], the settings are [`Settings::new`], nobody observes.
    #[must_use]
    pub fn p2c() -> Self {
        Self::new(P2c::default())
    }
}

impl Default for BalanceLayer {
    fn default() -> Self {
        Self::p2c()
    }
}

impl BalanceLayer<Grpc, RoundRobin> {
    /// Takes one endpoint after the other, as often as it has room by its own
    /// [`LoadReport`](crate::LoadReport)s: see [`RoundRobin::by_load`].
    ///
    /// # Defaults
    ///
    /// Those of [`p2c`](BalanceLayer::p2c), and [`LoadReports::new`].
    #[must_use]
    pub fn weighted_by_load() -> Self {
        Self::new(RoundRobin::by_load(LoadReports::new()))
    }
}

impl<P: Arrange> BalanceLayer<Grpc, P> {
    /// Picks by `policy`: one of ours, or a [`Policy`](crate::Policy) of your own.
    #[must_use]
    pub fn new(policy: P) -> Self {
        Self {
            classify: Grpc,
            policy,
            settings: Live::default(),
            observer: None,
        }
    }
}

impl<C, P> BalanceLayer<C, P> {
    /// Reads how calls end by `classify`.
    #[must_use]
    pub fn classify_with<D>(self, classify: D) -> BalanceLayer<D, P> {
        BalanceLayer {
            classify,
            policy: self.policy,
            settings: self.settings,
            observer: self.observer,
        }
    }

    /// Tells `observer` what happens.
    #[must_use]
    pub fn observe_with(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Sets, or follows, the settings.
    #[must_use]
    pub fn settings(mut self, settings: impl Into<Live<Settings>>) -> Self {
        self.settings = settings.into();
        self
    }
}

impl<C> BalanceLayer<C, P2c> {
    /// Draws with `dice`: a seeded one replays a test.
    #[must_use]
    pub fn dice(mut self, dice: Dice) -> Self {
        self.policy = P2c::new(dice);
        self
    }
}

impl<D, C, P> Layer<D> for BalanceLayer<C, P>
where
    D: Discover<Key = EndpointId> + Named + Send + 'static,
    D::Service: Endpoint,
    D::Error: Into<BoxError>,
    C: Clone,
    P: Arrange,
{
    type Service = Balance<D::Service, C, P>;

    fn layer(&self, discover: D) -> Self::Service {
        let facts = Facts::new(
            discover.service().into(),
            self.settings.clone(),
            self.observer.clone(),
        )
        .reading(self.policy.load_reports());
        let facts = Arc::new(facts);
        let hub = Arc::new(Hub::new(self.policy.clone(), Arc::clone(&facts)));
        let driver = Driver::new(follow(discover, Arc::clone(&hub)), facts);
        Balance::new(hub, driver, self.classify.clone())
    }
}

impl<C, P: fmt::Debug> fmt::Debug for BalanceLayer<C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BalanceLayer")
            .field("policy", &self.policy)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
