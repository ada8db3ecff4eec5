//! What etcd does not say with its errors: which revision, which lease.

use super::{
    EtcdStore,
    cluster::Ask,
    fault::Cause,
    watcher::{self, create},
};
use crate::coord::store::{LeaseId, Op, Store, StoreError, Txn};
use etcd_client::WatchOptions;

// === impl EtcdStore ===

impl EtcdStore {
    /// The error for a read at this revision.
    pub(super) async fn explain_range(&self, cause: Cause, requested: i64) -> StoreError {
        let explained = match cause {
            Cause::Compacted => self
                .compacted()
                .await
                .map(|at| StoreError::Compacted { requested, at }),
            Cause::FutureRevision => watcher::revision(&self.cluster, &self.namespace)
                .await
                .map(|current| StoreError::FutureRevision { requested, current }),
            other => Ok(other.into_store()),
        };
        explained.unwrap_or_else(|error| error)
    }

    /// The error for this transaction, which may have asked for several revisions and leases.
    pub(super) async fn explain_txn(&self, cause: Cause, txn: &Txn) -> StoreError {
        let ops = || txn.then.iter().chain(&txn.otherwise);
        let revisions = ops().filter_map(|op| match op {
            Op::Range(range) if range.revision > 0 => Some(range.revision),
            _ => None,
        });
        match cause {
            Cause::LeaseNotFound => {
                let leases = ops().filter_map(|op| match op {
                    Op::Put(put) if put.lease.is_some() => Some(put.lease),
                    _ => None,
                });
                let lease = self.missing(leases.collect()).await;
                StoreError::LeaseNotFound { lease }
            }
            Cause::FutureRevision => {
                let latest = revisions.max().unwrap_or_default();
                self.explain_range(cause, latest).await
            }
            other => {
                let earliest = revisions.min().unwrap_or_default();
                self.explain_range(other, earliest).await
            }
        }
    }

    /// The one of these leases that is not there.
    async fn missing(&self, mut leases: Vec<LeaseId>) -> LeaseId {
        leases.sort_unstable();
        leases.dedup();
        let last = leases.pop().unwrap_or_default();
        for lease in leases {
            let gone = StoreError::LeaseNotFound { lease };
            if self.time_to_live(lease).await == Err(gone) {
                return lease;
            }
        }
        last
    }

    /// The oldest revision that is left: a watch from the first one is told.
    async fn compacted(&self) -> Result<i64, StoreError> {
        let nothing = self.namespace.key(b"\0");
        let asked = self.cluster.ask(Ask::READ, |client| {
            let options = WatchOptions::new().with_start_revision(1);
            let key = nothing.to_vec();
            async move {
                let (mut stream, _created) = create(client, key, options).await?;
                stream.message().await
            }
        });
        let told = asked.await.map_err(Cause::into_store)?;
        Ok(told.map_or(0, |told| told.compact_revision()))
    }
}
