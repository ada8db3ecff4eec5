//! The one source that all who follow a name in this process share.

use super::{Registry, Shared, follower::Follower, goodbyes::Goodbyes};
use crate::coord::store::StoreError;
use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
};
use tokio::{runtime::Handle, sync::watch, task::JoinSet};
use ziggurat_core::{EndpointId, Instance};

/// The instances of a service at one moment, ordered by id.
pub(super) type Snapshot = BTreeMap<EndpointId, Arc<Instance>>;

/// What is known of a service.
#[derive(Clone, Debug, Default)]
pub(super) struct News {
    /// What was there last; nothing before the first answer of the store.
    pub(super) snapshot: Option<Arc<Snapshot>>,
    /// Whoever left in earnest and is still gone.
    pub(super) left: Arc<Goodbyes>,
    /// Why nothing new is heard, if so.
    pub(super) trouble: Option<StoreError>,
}

/// Follows a service as long as anybody holds it.
#[derive(Debug)]
pub(super) struct Feed {
    service: String,
    shared: Weak<Shared>,
    news: watch::Receiver<News>,
    /// The follower: it ends with this.
    _task: JoinSet<()>,
}

// === impl Feed ===

impl Feed {
    /// Spawns the follower of `service`.
    pub(super) fn start(registry: &Registry, service: &str) -> Result<Self, StoreError> {
        let prefix = registry.layout.prefix(service)?;
        let runtime = Handle::try_current();
        let runtime = runtime.map_err(|error| StoreError::unavailable(error.to_string()))?;
        let (tell, news) = watch::channel(News::default());
        let follower = Follower::new(registry.clone(), service.to_owned(), prefix, tell);
        let mut task = JoinSet::new();
        // One task a name, so that a follower who is slow, or gone, holds up nobody else.
        task.spawn_on(follower.run(), &runtime);
        Ok(Self {
            service: service.to_owned(),
            shared: Arc::downgrade(&registry.shared),
            news,
            _task: task,
        })
    }

    pub(super) fn news(&self) -> watch::Receiver<News> {
        self.news.clone()
    }

    /// Whether there will be news: the follower goes when its runtime does.
    pub(super) fn is_alive(&self) -> bool {
        self.news.has_changed().is_ok()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let Some(shared) = self.shared.upgrade() else {
            return;
        };
        let mut feeds = shared.feeds.lock();
        let replaced = |feed: &Weak<Self>| feed.strong_count() > 0;
        if !feeds.get(&self.service).is_some_and(replaced) {
            feeds.remove(&self.service);
        }
    }
}
