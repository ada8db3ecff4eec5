//! Where channels come from.

use super::{Channel, ChannelSettings, keeper::Keeper};
use std::{collections::HashMap, fmt, sync::Arc};
use ziggurat_core::Resolve;

/// Makes channels to services by their names.
///
/// Cheap to clone; clones share their channels.
///
/// ```
/// use ziggurat::{client::Ziggurat, coord::Registry};
///
/// let registry = Registry::memory();
/// let ziggurat = Ziggurat::new(registry);
/// let channel = ziggurat.channel("user-service");
/// assert_eq!(channel.service(), "user-service");
/// // let mut users = UserServiceClient::new(channel);
/// ```
#[derive(Clone)]
pub struct Ziggurat {
    resolve: Arc<dyn Resolve>,
    settings: Arc<ChannelSettings>,
    by_service: Arc<HashMap<String, ChannelSettings>>,
    keeper: Arc<Keeper>,
}

// === impl Ziggurat ===

impl Ziggurat {
    /// Finds services by asking `resolve`: a registry, a fixed list.
    pub fn new(resolve: impl Resolve) -> Self {
        Self {
            resolve: Arc::new(resolve),
            settings: Arc::default(),
            by_service: Arc::default(),
            keeper: Keeper::new(),
        }
    }

    /// Sets what holds for the channels to every service that has no settings of its own.
    #[must_use]
    pub fn settings(mut self, settings: ChannelSettings) -> Self {
        self.settings = Arc::new(settings);
        self.keeper = Keeper::new();
        self
    }

    /// Sets what holds for the channels to this service.
    #[must_use]
    pub fn service(mut self, service: impl Into<String>, settings: ChannelSettings) -> Self {
        let mut by_service = (*self.by_service).clone();
        by_service.insert(service.into(), settings);
        self.by_service = Arc::new(by_service);
        self.keeper = Keeper::new();
        self
    }

    /// A channel to the service of this name; all channels of one name share everything.
    ///
    /// A channel that nobody uses any more is kept for a minute, so it may be asked for anew for each
    /// request. It ends at once when the `Ziggurat` and its clones are dropped, too.
    ///
    /// Nothing is looked up or connected before the first call, or [`Channel::connect`]. A name that
    /// nobody knows is no error here: calls wait for it as long as they may, and then fail as
    /// UNAVAILABLE, "no endpoints for name".
    #[must_use]
    pub fn channel(&self, service: &str) -> Channel {
        let settings = self.by_service.get(service).unwrap_or(&self.settings);
        Channel::new(self.keeper.lease(&self.resolve, service, settings))
    }
}

impl fmt::Debug for Ziggurat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ziggurat")
            .field("settings", &self.settings)
            .field("by_service", &self.by_service)
            .field("channels", &self.keeper)
            .finish_non_exhaustive()
    }
}
