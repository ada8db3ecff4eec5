//! The one store that everything in [`coord`](super) is written against: etcd's semantics, and
//! nothing that etcd does not have.

mod error;
mod keys;
mod kv;
mod lease;
mod txn;
mod watch;

pub use self::{
    error::{StoreError, WatchError},
    keys::Keys,
    kv::{
        Delete, DeleteResponse, KeyValue, Put, PutResponse, Range, RangeResponse, SortBy, SortOrder,
    },
    lease::{Lease, LeaseId, LeaseStatus},
    txn::{Compare, Op, OpResponse, Relation, Target, Txn, TxnResponse},
    watch::{Event, EventKind, Watch, WatchBatch},
};
use futures_core::{future::BoxFuture, stream::BoxStream};
use std::{fmt, time::Duration};

/// What a call of a [`Store`] answers, some time later; nothing happens until it is polled.
pub type StoreFuture<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// What a watch delivers. It ends after its first error.
pub type WatchStream = BoxStream<'static, Result<WatchBatch, WatchError>>;

/// A store of keys with revisions, transactions, leases and watches, as etcd v3 defines them.
///
/// Every change to the store takes the next revision; a transaction, however many keys it changes,
/// takes one. All calls are linearizable unless they ask for less. The trait is object-safe: what
/// coordinates holds an `Arc<dyn Store>`.
///
/// # Errors
///
/// All methods answer [`StoreError`]. A change that failed with [`StoreError::Unavailable`] may
/// have been made all the same: only the connection is known to be gone, not the request.
///
/// # Implementing it
///
/// An implementation bounds each try by a time limit of its own, so that a member that hangs
/// becomes [`StoreError::Unavailable`], and ends a watch by an error when it can no longer be sure
/// that it would hear of a change. It does not repeat a call that might already have changed
/// something: callers decide what is worth another try.
///
/// What it must do is there as tests: `coord::conformance`, behind the feature of that name.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Reads keys, now or as they were at an earlier revision.
    fn range(&self, range: Range) -> StoreFuture<'_, RangeResponse>;

    /// Compares, and then does one list of operations or the other, as one change.
    fn txn(&self, txn: Txn) -> StoreFuture<'_, TxnResponse>;

    /// Opens a lease that must be kept alive; the store may grant more time than asked for.
    fn grant(&self, ttl: Duration) -> StoreFuture<'_, Lease>;

    /// Gives a lease its whole time again, and answers that time.
    ///
    /// The time runs from when the store received this, so a holder counts from when it *asked*.
    fn keep_alive(&self, lease: LeaseId) -> StoreFuture<'_, Duration>;

    /// Ends a lease and deletes all keys attached to it, as one change.
    fn revoke(&self, lease: LeaseId) -> StoreFuture<'_, ()>;

    /// Ends a lease without waiting, with the best effort that is possible here and now.
    ///
    /// For destructors: it neither blocks, fails nor needs a runtime. What it does not manage, the
    /// end of the lease's time does.
    fn abandon(&self, lease: LeaseId);

    /// As [`abandon`](Self::abandon), but with a last word: a transaction that is done before, if
    /// that can be had as cheaply. The lease is ended whatever becomes of it.
    fn abandon_with(&self, last: Txn, lease: LeaseId) {
        let _unsaid = last;
        self.abandon(lease);
    }

    /// What is left of a lease, and the keys attached to it.
    fn time_to_live(&self, lease: LeaseId) -> StoreFuture<'_, LeaseStatus>;

    /// Delivers every change to the watched keys once, in the order of revisions.
    ///
    /// A revision is never split over two batches. The stream ends after its first error; to go on,
    /// watch from the revision of the last batch + 1, or after [`WatchError::Compacted`] and
    /// [`WatchError::Replaced`] read the keys again and watch from that answer's revision + 1. A
    /// watch belongs to the [generation](Self::generation) in which it was made.
    fn watch(&self, watch: Watch) -> WatchStream;

    /// How often this has turned out to be another store than before: another cluster under the
    /// same addresses, or one that was restored from a backup and went back.
    ///
    /// What was read in one generation says nothing about the next, nor do its revisions. Take the
    /// number before a question: an answer that belongs to a later generation has raised it.
    fn generation(&self) -> u64 {
        0
    }

    /// Writes one key.
    fn put(&self, put: Put) -> StoreFuture<'_, PutResponse> {
        let answer = self.txn(Txn::new().then([put]));
        Box::pin(async move {
            match answer.await?.responses.pop() {
                Some(OpResponse::Put(response)) => Ok(response),
                other => Err(StoreError::unexpected("a put", &other)),
            }
        })
    }

    /// Deletes keys; deleting none is no error and takes no revision.
    fn delete(&self, delete: Delete) -> StoreFuture<'_, DeleteResponse> {
        let answer = self.txn(Txn::new().then([delete]));
        Box::pin(async move {
            match answer.await?.responses.pop() {
                Some(OpResponse::Delete(response)) => Ok(response),
                other => Err(StoreError::unexpected("a delete", &other)),
            }
        })
    }
}

const _: fn(&dyn Store) = |_object_safe| {};
