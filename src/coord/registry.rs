//! Who is there: services, and their instances.

mod feed;
mod follower;
mod goodbyes;
mod keeper;
mod layout;
mod registration;
mod resolver;

use self::{feed::Feed, layout::Entry};
use super::{
    ask::{limited, retry},
    memory::MemoryStore,
    page,
    store::{KeyValue, Range, Store, StoreError},
};
use futures_util::StreamExt;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};
use ziggurat_core::{Changes, Dice, Instance, Resolve};
use ziggurat_discover::{Guard, Guarded};

pub use self::{
    layout::KeyLayout,
    registration::{Register, Registration, RegistrationState},
};

/// The instances of services, by the name of the service; clones are the same registry.
///
/// It spawns nothing before somebody registers or follows a name, and leaves no task behind when
/// the last of them is gone. All who follow one name in this process share one watch.
///
/// # Defaults
///
/// [`KeyLayout::Naming`], and leases of 30 s.
#[derive(Clone, Debug)]
pub struct Registry {
    store: Arc<dyn Store>,
    layout: KeyLayout,
    dice: Dice,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    feeds: Mutex<HashMap<String, Weak<Feed>>>,
    skipped: AtomicU64,
}

// === impl Registry ===

impl Default for Registry {
    fn default() -> Self {
        Self::memory()
    }
}

impl Registry {
    /// The registry that this store holds.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            layout: KeyLayout::default(),
            dice: Dice::new(),
            shared: Arc::default(),
        }
    }

    /// An empty registry in the memory of this process.
    #[must_use]
    pub fn memory() -> Self {
        Self::new(Arc::new(MemoryStore::new()))
    }

    /// Speaks this layout of keys and values.
    #[must_use]
    pub fn layout(self, layout: KeyLayout) -> Self {
        let shared = Arc::default();
        Self {
            layout,
            shared,
            ..self
        }
    }

    /// Draws its jitter from here.
    #[must_use]
    pub fn dice(self, dice: Dice) -> Self {
        Self { dice, ..self }
    }

    /// Registers an instance, and keeps it registered until the [`Registration`] is dropped.
    ///
    /// Awaited, it answers once the instance can be found; through an outage it keeps trying, so
    /// bound it by a timeout if you must. Dropped before that, nothing stays behind. An instance
    /// registered twice, here or elsewhere, is the last one's.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidArgument`] if the service or the id is no name of one part, and what
    /// the store refuses for good.
    pub fn register(&self, instance: Instance) -> Register {
        Register::new(self.clone(), instance)
    }

    /// The instances of `service` at this moment, ordered by id.
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidArgument`] if `service` is no name, and what the store answers.
    pub async fn list(&self, service: &str) -> Result<Vec<Instance>, StoreError> {
        let prefix = self.layout.prefix(service)?;
        let found = page::all(&*self.store, Range::prefix(prefix)).await?;
        let instances = found
            .kvs
            .iter()
            .filter_map(|kv| match self.read(service, kv) {
                Entry::Instance(instance) => Some(instance),
                Entry::Left | Entry::Bad(_) | Entry::Foreign => None,
            });
        let mut instances: Vec<_> = instances.collect();
        instances.sort_by(|a, b| a.id().cmp(b.id()));
        Ok(instances)
    }

    /// Follows the instances of `service`: all there are first, then what changes.
    ///
    /// What was heard stands while the store is away, and is marked as stale. A set that is emptied
    /// or shrinks to a fifth at once, as when leases run out while the store changes its leader, is
    /// held for 10 s, and marked as stale; an instance that [deregisters](Registration::deregister)
    /// is gone at once, even the only one. [`Guard`] has the same for another time. All who follow
    /// one name share one watch of the store, this way or by [`resolve`](Resolve::resolve).
    ///
    /// It begins when it is polled, on a tokio runtime; what is no name of a service is
    /// [trouble](ziggurat_discover::Stale::Trouble), and the end.
    pub fn watch(&self, service: &str) -> Guarded {
        Guard::new(self.clone()).watch(service)
    }

    /// How many entries were skipped so far because they made no sense, at each time of reading.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.shared.skipped.load(Ordering::Relaxed)
    }

    fn read(&self, service: &str, kv: &KeyValue) -> Entry {
        let entry = self.layout.read(service, &kv.key, &kv.value);
        if let Entry::Bad(reason) = &entry {
            self.shared.skipped.fetch_add(1, Ordering::Relaxed);
            let key = kv.key.escape_ascii();
            tracing::warn!(service, %key, reason, "registry entry skipped");
        }
        entry
    }

    /// The one feed of this service, begun if nobody follows it yet.
    fn feed(&self, service: &str) -> Result<Arc<Feed>, StoreError> {
        let mut feeds = self.shared.feeds.lock();
        let known = feeds.get(service).and_then(Weak::upgrade);
        if let Some(feed) = known.as_ref().filter(|feed| feed.is_alive()) {
            return Ok(Arc::clone(feed));
        }
        let feed = Feed::start(self, service).map(Arc::new);
        if let Ok(feed) = &feed {
            feeds.insert(service.to_owned(), Arc::downgrade(feed));
        }
        // A dead feed that goes with `known` will want this lock.
        drop(feeds);
        feed
    }
}

/// As the store says it: whoever vanishes is gone, and whoever follows decides what to believe.
///
/// The layer `discover` does that, and a [`Guard`] for others, as in [`Registry::watch`].
impl Resolve for Registry {
    fn resolve(&self, service: &str) -> Changes {
        resolver::follow(self.clone(), service.to_owned()).boxed()
    }
}
