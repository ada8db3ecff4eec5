//! Leases that nobody wants any more, given back in the background.

use super::cluster::{Ask, Cluster};
use crate::coord::store::LeaseId;
use parking_lot::Mutex;
use std::{fmt, sync::Arc};
use tokio::{runtime::Handle, task::JoinSet};

/// Ends leases as long as it lives; what it does not get done, their time does.
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

    pub(super) fn say(&self, cluster: &Arc<Cluster>, lease: LeaseId) {
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
        // A destructor cannot wait for the answer.
        tasks.spawn_on(revoke(cluster, lease), &runtime);
    }
}

impl fmt::Debug for Farewell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Farewell").finish_non_exhaustive()
    }
}

async fn revoke(cluster: Arc<Cluster>, lease: LeaseId) {
    let revoked = cluster.ask(Ask::READ, |client| async move {
        client.lease_client().revoke(lease.0).await
    });
    if let Err(cause) = revoked.await {
        tracing::debug!(?lease, ?cause, "lease not given back, it will run out");
    }
}
