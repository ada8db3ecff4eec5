//! Keeps channels for a while after their last user has gone, so that one that is asked for again and
//! again, for each request say, is the same one every time.

use super::{ChannelSettings, channel::Shared};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::{runtime::Handle, task::JoinSet};
use ziggurat_core::Resolve;

/// The channels of one `Ziggurat`.
pub(super) struct Keeper(Mutex<Kept>);

/// Somebody uses a channel. Dropped, nobody does.
pub(super) struct Lease {
    pub(super) shared: Arc<Shared>,
    keeper: Weak<Keeper>,
}

#[derive(Default)]
struct Kept {
    channels: HashMap<String, Entry>,
    /// One for each channel that nobody uses, until its time is up; ended with the keeper.
    farewells: JoinSet<()>,
}

struct Entry {
    shared: Arc<Shared>,
    lease: Weak<Lease>,
}

/// How long a channel that nobody uses is kept.
const IDLE: Duration = Duration::from_secs(60);

// === impl Keeper ===

impl Keeper {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::default()))
    }

    /// The channel to `service`: the one that is kept, or a new one.
    pub(super) fn lease(
        self: &Arc<Self>,
        resolve: &Arc<dyn Resolve>,
        service: &str,
        settings: &ChannelSettings,
    ) -> Arc<Lease> {
        let mut kept = self.kept();
        let known = kept
            .channels
            .get(service)
            .filter(|entry| !entry.shared.is_closed());
        if let Some(lease) = known.and_then(|entry| entry.lease.upgrade()) {
            return lease;
        }
        let shared = match known {
            Some(entry) => Arc::clone(&entry.shared),
            None => Arc::new(Shared::new(Arc::clone(resolve), service, settings)),
        };
        let lease = Arc::new(Lease {
            shared: Arc::clone(&shared),
            keeper: Arc::downgrade(self),
        });
        let entry = Entry {
            shared,
            lease: Arc::downgrade(&lease),
        };
        let before = kept.channels.insert(service.to_owned(), entry);
        // Ends what it held outside of the lock.
        drop(kept);
        drop(before);
        lease
    }

    pub(super) fn services(&self) -> Vec<String> {
        self.kept().channels.keys().cloned().collect()
    }

    /// Nobody uses the channel to `service` any more.
    fn left(self: &Arc<Self>, service: &str) {
        let Ok(runtime) = Handle::try_current() else {
            // Nothing of a channel can live without a runtime.
            return self.forget(service);
        };
        let (keeper, service) = (Arc::downgrade(self), service.to_owned());
        let mut kept = self.kept();
        while kept.farewells.try_join_next().is_some() {}
        let farewell = async move {
            tokio::time::sleep(IDLE).await;
            if let Some(keeper) = keeper.upgrade() {
                keeper.forget(&service);
            }
        };
        kept.farewells.spawn_on(farewell, &runtime);
    }

    fn forget(&self, service: &str) {
        let mut kept = self.kept();
        let unused = |entry: &Entry| entry.lease.strong_count() == 0;
        let forgotten = match kept.channels.get(service) {
            Some(entry) if unused(entry) => kept.channels.remove(service),
            _ => None,
        };
        drop(kept);
        drop(forgotten);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.services()).finish()
    }
}

// === impl Lease ===

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.upgrade()
            && !self.shared.is_closed()
        {
            keeper.left(self.shared.service());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ziggurat_discover::Fixed;

    fn lease(keeper: &Arc<Keeper>) -> Arc<Lease> {
        let nowhere: Arc<dyn Resolve> = Arc::new(Fixed::new([]));
        keeper.lease(&nowhere, "echo", &ChannelSettings::new())
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_outlives_its_last_user_for_a_minute() {
        let keeper = Keeper::new();
        let first = Arc::downgrade(&lease(&keeper).shared);
        tokio::time::sleep(IDLE / 2).await;
        assert!(Weak::ptr_eq(
            &first,
            &Arc::downgrade(&lease(&keeper).shared)
        ));

        // Used when the first farewell is due, and again unused long before the second is.
        let used = lease(&keeper);
        tokio::time::sleep(IDLE * 2).await;
        assert!(first.strong_count() > 0);
        drop(used);
        tokio::time::sleep(IDLE * 2).await;
        assert_eq!(first.strong_count(), 0);
        assert!(keeper.services().is_empty());
    }

    #[tokio::test]
    async fn nothing_outlives_the_keeper() {
        let keeper = Keeper::new();
        let shared = Arc::downgrade(&lease(&keeper).shared);
        assert!(shared.strong_count() > 0);
        drop(keeper);
        assert_eq!(shared.strong_count(), 0);
    }

    #[test]
    fn without_a_runtime_nothing_is_kept() {
        let keeper = Keeper::new();
        let shared = Arc::downgrade(&lease(&keeper).shared);
        assert_eq!(shared.strong_count(), 0);
    }
}
