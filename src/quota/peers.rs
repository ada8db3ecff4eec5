//! How many processes share a limit.

use futures_util::StreamExt;
use std::{collections::HashSet, fmt, num::NonZeroUsize};
use tokio::task::JoinSet;
use ziggurat_core::{Change, Live, Resolve};

/// Counts the instances of a service, for [`OnOutage::Share`](super::OnOutage::Share); dropped, the last
/// count stays.
///
/// ```
/// use std::num::NonZeroUsize;
/// use ziggurat::{coord::Registry, core::Instance, quota::{OnOutage, Peers, RedisQuota}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = Registry::memory();
/// let me = Instance::new("im-gateway", "im-gateway-1", "10.0.0.1", 8080)?;
/// let registration = registry.register(me).await?;
///
/// let peers = Peers::follow(registry, "im-gateway", NonZeroUsize::MIN).await;
/// let on_outage = OnOutage::Share(peers.count());
/// let quota = RedisQuota::open("redis://127.0.0.1:6379", on_outage)?;
/// # Ok(())
/// # }
/// ```
pub struct Peers {
    count: Live<usize>,
    _task: JoinSet<()>,
}

// === impl Peers ===

impl Peers {
    /// Follows what `source` says of `service`, for as long as this lives.
    ///
    /// It counts never fewer than `at_least`: as many as there are even if the registry is empty, or out
    /// of reach from the start, and so lets no process take more than its share. Trouble changes no
    /// count.
    #[allow(
        clippy::unused_async,
        reason = "it starts a task, so it needs a runtime"
    )]
    pub async fn follow(source: impl Resolve, service: &str, at_least: NonZeroUsize) -> Self {
        let (setter, count) = Live::channel(at_least.get());
        let mut changes = source.resolve(service);
        let mut task = JoinSet::new();
        // Instances come and go whether there are calls or not.
        task.spawn(async move {
            // What the changes come from.
            let _source = source;
            let mut known = HashSet::new();
            while let Some(change) = changes.next().await {
                match change {
                    Ok(Change::All(all)) => {
                        known = all.iter().map(|instance| instance.id().clone()).collect();
                    }
                    Ok(Change::Put(instance)) => {
                        known.insert(instance.id().clone());
                    }
                    Ok(Change::Remove(id) | Change::Left(id)) => {
                        known.remove(&id);
                    }
                    // Nothing else is news of who there is.
                    Ok(_) => {}
                    Err(error) => tracing::debug!(%error, "rate limits: peers stay as counted"),
                }
                setter.set(known.len().max(at_least.get()));
            }
        });
        Self { count, _task: task }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> Live<usize> {
        self.count.clone()
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peers")
            .field("count", &self.count.get())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coord::Registry;
    use std::time::Duration;
    use ziggurat_core::Instance;

    async fn becomes(peers: &Peers, expected: usize) {
        let met = async {
            while peers.count().get() != expected {
                tokio::task::yield_now().await;
            }
        };
        let limit = Duration::from_secs(30);
        assert!(
            tokio::time::timeout(limit, met).await.is_ok(),
            "{peers:?}, {expected}"
        );
    }

    #[tokio::test]
    async fn those_who_come_and_go_are_counted_and_never_fewer_than_was_said() {
        let registry = Registry::memory();
        let two = NonZeroUsize::new(2).unwrap();
        let peers = Peers::follow(registry.clone(), "s", two).await;
        assert_eq!(peers.count().get(), 2);
        let mut all = Vec::new();
        for port in 1..=4 {
            let instance = Instance::at("s", ([10, 0, 0, 1], port).into()).unwrap();
            all.push(registry.register(instance).await.unwrap());
        }
        becomes(&peers, 4).await;
        for registration in all {
            registration.deregister().await.unwrap();
        }
        becomes(&peers, 2).await;
    }
}
