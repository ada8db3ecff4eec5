//! Leases that nobody wants any more, given back in the background.

use super::cluster::{Ask, Cluster};
use crate::coord::store::LeaseId;
use etcd_client::Txn;
use parking_lot::Mutex;
use std::{fmt, sync::Arc};
use tokio::{runtime::Handle, task::JoinSet};

/// Ends leases; what it does not get done, their time does.
///
/// The store is often dropped together with what was held in it. So what it was told before that, it
/// does to the end: the one work here that outlives its owner, in a bounded number of bounded tries.
pub(super) struct Farewell {
    /// For whoever drops something outside of any runtime.
    runtime: Option<Handle>,
    tasks: Mutex<JoinSet<()>>,
}

/// When a cluster is away while many things end, their leases run out by themselves.
const MAX_TASKS: usize = 1_024;

// === impl Farewell ===

impl Farewell {
    pub(super) fn new() -> Self {
        Self {
            runtime: Handle::try_current().ok(),
            tasks: Mutex::default(),
        }
    }

    /// Says a last word, if there is one, and ends the lease.
    pub(super) fn say(&self, cluster: &Arc<Cluster>, last: Option<Txn>, lease: LeaseId) {
        let runtime = Handle::try_current().ok().or_else(|| self.runtime.clone());
        let Some(runtime) = runtime else {
            tracing::debug!(
                ?lease,
                "no runtime to give a lease back on, it will run out"
            );
            return;
        };
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        if tasks.len() >= MAX_TASKS {
            tracing::debug!(?lease, "too many leases to give back, it will run out");
            return;
        }
        let cluster = Arc::clone(cluster);
        // A destructor cannot wait for the answers.
        let farewell = async move {
            if let Some(last) = last {
                word(&cluster, last).await;
            }
            revoke(&cluster, lease).await;
        };
        tasks.spawn_on(farewell, &runtime);
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.tasks.get_mut().detach_all();
    }
}

impl fmt::Debug for Farewell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Farewell").finish_non_exhaustive()
    }
}

async fn word(cluster: &Cluster, last: Txn) {
    let said = cluster.ask(Ask::CHANGE, |client| {
        let last = last.clone();
        async move { client.kv_client().txn(last).await }
    });
    if let Err(cause) = said.await {
        tracing::debug!(?cause, "left without a word");
    }
}

async fn revoke(cluster: &Cluster, lease: LeaseId) {
    let revoked = cluster.ask(Ask::READ, |client| async move {
        client.lease_client().revoke(lease.0).await
    });
    if let Err(cause) = revoked.await {
        tracing::debug!(?lease, ?cause, "lease not given back, it will run out");
    }
}
