//! A cluster of three, and the sites from which it is reached.

use super::super::slot::slot;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::{
    sync::SemaphorePermit,
    time::{Instant, sleep},
};
use ziggurat::coord::{EtcdSettings, EtcdStore, LeaseId, Range, Store, StoreError};
use ziggurat_core::Dice;
use ziggurat_testkit::{EtcdCluster, Proxy};

/// Everything that a fault can be done to.
pub(super) struct World {
    pub(super) cluster: EtcdCluster,
    pub(super) sites: Vec<Site>,
    /// Reaches the members without any proxy.
    pub(super) direct: Arc<EtcdStore>,
    _slot: SemaphorePermit<'static>,
}

/// A place with one store, which reaches each member by a way of its own.
pub(super) struct Site {
    /// In the order of the members.
    pub(super) ways: Vec<Proxy>,
    pub(super) store: Arc<EtcdStore>,
}

/// How many sites there are: while one is cut off, the other one goes on.
pub(super) const SITES: usize = 2;
/// How many members there are.
pub(super) const MEMBERS: usize = 3;
/// A cluster that does not answer for so long will not answer at all.
pub(super) const LONG: Duration = Duration::from_secs(60);

// === impl World ===

impl World {
    /// Starts a cluster; `dice` gives the stores their jitter.
    pub(super) async fn start(dice: &Dice) -> Self {
        let slot = slot().await;
        let cluster = EtcdCluster::start(MEMBERS).await;
        let direct = store(cluster.urls(), dice);
        let mut sites = Vec::new();
        for _ in 0..SITES {
            let ways = cluster.proxies().await;
            let store = store(ways.iter().map(Proxy::url).collect(), dice);
            sites.push(Site { ways, store });
        }
        Self {
            cluster,
            sites,
            direct,
            _slot: slot,
        }
    }

    /// Ends all leases that keys are attached to, as some other client of the cluster might; `tell`
    /// hears of the revision that made each key, before it is gone.
    pub(super) async fn revoke_all(&self, tell: impl Fn(i64)) {
        let leases = self.each_leased(tell).await;
        for lease in leases {
            insist(async || match self.direct.revoke(lease).await {
                Ok(()) | Err(StoreError::LeaseNotFound { .. }) => Ok(()),
                Err(error) => Err(error),
            })
            .await;
        }
    }

    /// Tells of the revision that made each key with a lease, as far as any member knows, and answers
    /// the leases.
    pub(super) async fn each_leased(&self, tell: impl Fn(i64)) -> HashSet<LeaseId> {
        let found = insist(|| self.direct.range(Range::prefix("").serializable())).await;
        let leased = found.kvs.iter().filter(|kv| kv.lease.is_some());
        leased.clone().for_each(|kv| tell(kv.create_revision));
        leased.map(|kv| kv.lease).collect()
    }
}

/// Asks until there is an answer.
pub(super) async fn insist<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> T {
    let begun = Instant::now();
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => assert!(begun.elapsed() < LONG, "{error}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn store(urls: Vec<String>, dice: &Dice) -> Arc<EtcdStore> {
    let settings = EtcdSettings::new(urls).unwrap().dice(dice.clone());
    let settings = settings.try_timeout(Duration::from_secs(1)).unwrap();
    let settings = settings.silence(Duration::from_secs(1)).unwrap();
    Arc::new(EtcdStore::lazy(settings))
}
