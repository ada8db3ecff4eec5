//! Where channels come from.

use super::{Channel, ChannelSettings, channel::Shared};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};
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
    channels: Arc<Mutex<HashMap<String, Weak<Shared>>>>,
}

// === impl Ziggurat ===

impl Ziggurat {
    /// Finds services by asking `resolve`: a registry, a fixed list.
    pub fn new(resolve: impl Resolve) -> Self {
        Self {
            resolve: Arc::new(resolve),
            settings: Arc::default(),
            by_service: Arc::default(),
            channels: Arc::default(),
        }
    }

    /// Sets what holds for the channels to every service that has no settings of its own.
    #[must_use]
    pub fn settings(mut self, settings: ChannelSettings) -> Self {
        self.settings = Arc::new(settings);
        self.channels = Arc::default();
        self
    }

    /// Sets what holds for the channels to this service.
    #[must_use]
    pub fn service(mut self, service: impl Into<String>, settings: ChannelSettings) -> Self {
        let mut by_service = (*self.by_service).clone();
        by_service.insert(service.into(), settings);
        self.by_service = Arc::new(by_service);
        self.channels = Arc::default();
        self
    }

    /// A channel to the service of this name; all channels of one name share everything.
    ///
    /// Nothing is looked up or connected before the first call, or [`Channel::connect`]. A name that
    /// nobody knows is no error here: calls wait for it as long as they may, and then fail as
    /// UNAVAILABLE, "no endpoints for name".
    #[must_use]
    pub fn channel(&self, service: &str) -> Channel {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = channels.get(service).and_then(Weak::upgrade)
            && !shared.is_closed()
        {
            return Channel::new(shared);
        }
        let settings = self.by_service.get(service).unwrap_or(&self.settings);
        let shared = Arc::new(Shared::new(Arc::clone(&self.resolve), service, settings));
        channels.retain(|_, known| known.strong_count() > 0);
        channels.insert(service.to_owned(), Arc::downgrade(&shared));
        Channel::new(shared)
    }
}

impl fmt::Debug for Ziggurat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Ziggurat")
            .field("settings", &self.settings)
            .field("by_service", &self.by_service)
            .field("channels", &channels.keys())
            .finish_non_exhaustive()
    }
}
