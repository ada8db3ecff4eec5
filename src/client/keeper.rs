//! Keeps channels for a while after their last user has gone, so that one that is asked for again and
//! again, for each request say, is the same one every time.

use super::{ChannelSettings, channel::Shared};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    task::{AbortHandle, JoinSet},
};
use ziggurat_core::{
    Resolve,
    clock::{self, Instant},
};

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
    /// At most one for each channel, until its time is up; ended with the keeper.
    farewells: JoinSet<()>,
}

struct Entry {
    shared: Arc<Shared>,
    lease: Weak<Lease>,
    /// When its last user went, if that was ever.
    left: Option<Instant>,
    /// What will forget it; one however often it is used and left.
    farewell: Option<AbortHandle>,
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
        let (shared, farewell) = match known {
            Some(entry) => (Arc::clone(&entry.shared), entry.farewell.clone()),
            None => {
                let shared = Shared::new(Arc::clone(resolve), service, settings);
                (Arc::new(shared), None)
            }
        };
        let lease = Arc::new(Lease {
            shared: Arc::clone(&shared),
            keeper: Arc::downgrade(self),
        });
        let entry = Entry {
            shared,
            lease: Arc::downgrade(&lease),
            left: None,
            farewell,
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
            drop(self.forget(service));
            return;
        };
        let mut kept = self.kept();
        while kept.farewells.try_join_next().is_some() {}
        let Kept {
            channels,
            farewells,
        } = &mut *kept;
        let Some(entry) = channels.get_mut(service) else {
            return;
        };
        entry.left = Some(clock::now());
        let waits = entry
            .farewell
            .as_ref()
            .is_some_and(|task| !task.is_finished());
        if !waits {
            let farewell = say_farewell(Arc::downgrade(self), service.to_owned());
            entry.farewell = Some(farewells.spawn_on(farewell, &runtime));
        }
    }

    /// When to look again whether the channel can go. `None`: it has gone, or is used.
    fn part(&self, service: &str) -> Option<Instant> {
        let mut kept = self.kept();
        let entry = kept.channels.get_mut(service)?;
        let due = entry
            .left
            .filter(|_| entry.is_unused())
            .map(|left| left + IDLE);
        match due {
            Some(due) if due > clock::now() => return Some(due),
            Some(_) => {
                let gone = kept.channels.remove(service);
                // Ends what it held outside of the lock.
                drop(kept);
                drop(gone);
            }
            // Whoever leaves it next says farewell anew.
            None => entry.farewell = None,
        }
        None
    }

    /// Takes out a channel that nobody uses.
    fn forget(&self, service: &str) -> Option<Entry> {
        let mut kept = self.kept();
        let unused = kept.channels.get(service)?.is_unused();
        unused.then(|| kept.channels.remove(service))?
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn is_unused(&self) -> bool {
        self.lease.strong_count() == 0
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

/// Waits until a channel may go, as often as it was used meanwhile.
async fn say_farewell(keeper: Weak<Keeper>, service: String) {
    let mut due = clock::now() + IDLE;
    loop {
        tokio::time::sleep_until(due).await;
        match keeper.upgrade().and_then(|keeper| keeper.part(&service)) {
            Some(later) => due = later,
            None => return,
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

    #[tokio::test(start_paused = true)]
    async fn a_channel_for_each_request_costs_one_farewell() {
        let keeper = Keeper::new();
        for _ in 0..1_000 {
            drop(lease(&keeper));
            tokio::time::sleep(IDLE / 500).await;
        }
        assert_eq!(keeper.kept().farewells.len(), 1);
        assert_eq!(keeper.services(), ["echo"]);
        tokio::time::sleep(IDLE * 2).await;
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
