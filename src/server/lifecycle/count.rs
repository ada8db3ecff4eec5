//! How many of something there are, counted without contention.

use std::{
    array, fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};
use tokio::sync::Notify;
use ziggurat_core::seat;

/// Counts what has begun and not ended. Clones count together.
#[derive(Clone)]
pub(super) struct Count(Arc<Inner>);

/// One that is counted until it is dropped.
#[derive(Debug)]
pub(in crate::server) struct Counted(Arc<Shard>);

struct Inner {
    shards: [Arc<Shard>; SHARDS],
    wake: Arc<Wake>,
}

/// What one thread or a few count, on a cache line of its own together with its number of owners: a
/// contended counter costs several times an uncontended one.
#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    count: AtomicUsize,
    wake: Arc<Wake>,
}

#[derive(Debug, Default)]
struct Wake {
    /// Somebody waits until there are none.
    awaited: AtomicBool,
    fewer: Notify,
}

const SHARDS: usize = 16;

// === impl Count ===

impl Count {
    pub(super) fn new() -> Self {
        let wake = Arc::<Wake>::default();
        let shards = array::from_fn(|_| {
            Arc::new(Shard {
                count: AtomicUsize::new(0),
                wake: Arc::clone(&wake),
            })
        });
        Self(Arc::new(Inner { shards, wake }))
    }

    pub(super) fn begin(&self) -> Counted {
        let shard = &self.0.shards[seat::among(SHARDS)];
        shard.count.fetch_add(1, SeqCst);
        Counted(Arc::clone(shard))
    }

    pub(super) fn get(&self) -> usize {
        let shards = self.0.shards.iter();
        shards.map(|shard| shard.count.load(SeqCst)).sum()
    }

    /// Waits until there are none.
    pub(super) async fn none(&self) {
        loop {
            let fewer = self.0.wake.fewer.notified();
            let mut fewer = std::pin::pin!(fewer);
            fewer.as_mut().enable();
            // Whoever ends after this store sees it; whoever ended before is not counted below.
            self.0.wake.awaited.store(true, SeqCst);
            if self.get() == 0 {
                return;
            }
            fewer.await;
        }
    }
}

impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Count").field(&self.get()).finish()
    }
}

// === impl Counted ===

impl Drop for Counted {
    fn drop(&mut self) {
        let Shard { count, wake } = &*self.0;
        // Where it was counted, whichever thread this is: no shard ever goes below zero.
        count.fetch_sub(1, SeqCst);
        if wake.awaited.load(SeqCst) {
            wake.fewer.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::JoinSet;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn what_ends_on_another_thread_is_not_counted_any_more() {
        let count = Count::new();
        count.none().await;
        for _ in 0..200 {
            let mut tasks = JoinSet::new();
            for _ in 0..20 {
                let counted = count.begin();
                tasks.spawn(async move {
                    tokio::task::yield_now().await;
                    drop(counted);
                });
            }
            count.none().await;
            assert_eq!(count.get(), 0);
            tasks.join_all().await;
        }
    }
}
