//! Who hears what the layers of a channel do.

use super::{AttemptRequest, ChannelSettings, settings::Connector};
use bytes::Bytes;
use std::{fmt, sync::Arc};
use ziggurat_balance::{self as balance, BalanceLayer, BoxPolicy};
use ziggurat_breaker::{self as breaker, BreakerLayer};
use ziggurat_connect as connect;
use ziggurat_core::Grpc;
use ziggurat_deadline::{self as deadline, DeadlineLayer};
use ziggurat_discover::{self as discover, DiscoverLayer};
use ziggurat_health::{self as health, HealthLayer, active::ActiveLayer};
use ziggurat_retry::{self as retry, ReplayBody, RetryLayer};

/// Hears what all the layers of a channel do: whatever hears each of them, and can be cloned.
///
/// Every method of theirs does nothing unless it is written, so what is of no interest is one line.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering::Relaxed}};
/// use std::time::Duration;
/// use ziggurat::{
///     balance, breaker::{self, State}, client::ChannelSettings, connect, deadline, discover, health,
///     retry::{self, Why},
/// };
///
/// #[derive(Clone)]
/// struct Counters {
///     service: Arc<str>,
///     retries: Arc<AtomicU64>,
/// }
///
/// impl breaker::Observer for Counters {
///     fn changed(&self, from: State, to: State) {
///         println!("{}: {} -> {}", self.service, from.name(), to.name());
///     }
/// }
/// impl retry::Observer for Counters {
///     fn retried(&self, _number: u32, _why: Why, _delay: Duration) {
///         self.retries.fetch_add(1, Relaxed);
///     }
/// }
/// impl balance::Observer for Counters {}
/// impl connect::Observer for Counters {}
/// impl deadline::Observer for Counters {}
/// impl discover::Observer for Counters {}
/// impl health::Observer for Counters {}
///
/// let retries = Arc::new(AtomicU64::new(0));
/// let settings = ChannelSettings::new().observe_with(move |service| Counters {
///     service: service.into(),
///     retries: Arc::clone(&retries),
/// });
/// # drop(settings);
/// ```
pub trait Observer:
    balance::Observer
    + breaker::Observer
    + connect::Observer
    + deadline::Observer
    + discover::Observer
    + health::Observer
    + retry::Observer
    + Clone
{
}

/// Makes the observer of each service.
#[derive(Clone, Default)]
pub(super) struct Observers(Option<Arc<Make>>);

/// Gives the observer of one service to each layer that takes one.
pub(super) trait Attach {
    fn balance(&self, layer: Balance) -> Balance;
    fn breaker(&self, layer: BreakerLayer) -> BreakerLayer;
    fn connector(&self, connector: Connector) -> Connector;
    fn deadline(&self, layer: DeadlineLayer) -> DeadlineLayer;
    fn discover(&self, layer: DiscoverLayer) -> DiscoverLayer;
    fn health(&self, layer: HealthLayer) -> HealthLayer;
    fn active(&self, layer: Active) -> Active;
    fn retry(&self, layer: RetryLayer) -> RetryLayer;
}

type Make = dyn Fn(&str) -> Box<dyn Attach> + Send + Sync;
type Balance = BalanceLayer<Grpc, BoxPolicy<AttemptRequest>>;
pub(super) type Active = ActiveLayer<fn(Bytes) -> ReplayBody<tonic::body::Body>>;

// === impl ChannelSettings ===

impl ChannelSettings {
    /// Tells what `observer` makes of the name of a service what the layers of its channels do; by default
    /// nobody is told. It is made once for all channels of a name, and each layer gets a clone.
    ///
    /// It is told after the decision, in the task of the call for most of it, so it should be quick.
    #[must_use]
    pub fn observe_with<O: Observer>(
        mut self,
        observer: impl Fn(&str) -> O + Send + Sync + 'static,
    ) -> Self {
        let make = move |service: &str| Box::new(observer(service)) as Box<dyn Attach>;
        self.observers = Observers(Some(Arc::new(make)));
        self
    }
}

// === impl Observer ===

impl<O> Observer for O where
    O: balance::Observer
        + breaker::Observer
        + connect::Observer
        + deadline::Observer
        + discover::Observer
        + health::Observer
        + retry::Observer
        + Clone
{
}

// === impl Observers ===

impl Observers {
    /// Who hears of this service.
    pub(super) fn of(&self, service: &str) -> Option<Box<dyn Attach>> {
        self.0.as_ref().map(|make| make(service))
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Some(..)" } else { "None" })
    }
}

// === impl Attach ===

impl<O: Observer> Attach for O {
    fn balance(&self, layer: Balance) -> Balance {
        layer.observe_with(self.clone())
    }

    fn breaker(&self, layer: BreakerLayer) -> BreakerLayer {
        layer.observe_with(self.clone())
    }

    fn connector(&self, connector: Connector) -> Connector {
        connector.observe_with(self.clone())
    }

    fn deadline(&self, layer: DeadlineLayer) -> DeadlineLayer {
        layer.observe_with(self.clone())
    }

    fn discover(&self, layer: DiscoverLayer) -> DiscoverLayer {
        layer.observe_with(self.clone())
    }

    fn health(&self, layer: HealthLayer) -> HealthLayer {
        layer.observe_with(self.clone())
    }

    fn active(&self, layer: Active) -> Active {
        layer.observe_with(self.clone())
    }

    fn retry(&self, layer: RetryLayer) -> RetryLayer {
        layer.observe_with(self.clone())
    }
}
