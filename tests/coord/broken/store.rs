//! The embedded store, bent in one way.

use crate::coord::support::put;
use futures_util::{FutureExt, StreamExt, stream};
use std::time::Duration;
use ziggurat::coord::{
    Delete, Event, Keys, Lease, LeaseId, LeaseStatus, MemoryStore, Op, Range, RangeResponse,
    Relation, Store, StoreError, StoreFuture, Target, Txn, TxnResponse, Watch, WatchBatch,
    WatchStream,
};

/// One way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Nothing,
    LosesAnEvent,
    RepeatsABatch,
    SplitsARevision,
    StartsAWatchLate,
    WatchesTooMuch,
    ForgetsWhatEventsReplaced,
    TellsWhatNobodyAsked,
    ForgetsWhatWritesReplaced,
    SkipsARevision,
    TakesARevisionForNothing,
    TakesLessForLessOrEqual,
    TakesAbsentForEmpty,
    ReadsNowForThen,
    ReadsTheFuture,
    IgnoresTheLimit,
    CutsBeforeItSorts,
    SendsValuesForKeys,
    KeepsKeysOfLeases,
    RevokesKeyByKey,
    RenewsWhatIsGone,
    RenewsInWordsOnly,
    ForgetsToAbandon,
    ActsUnasked,
    WritesAKeyTwice,
}

use Fault::*;

pub(super) const FAULTS: [Fault; 24] = [
    LosesAnEvent,
    RepeatsABatch,
    SplitsARevision,
    StartsAWatchLate,
    WatchesTooMuch,
    ForgetsWhatEventsReplaced,
    TellsWhatNobodyAsked,
    ForgetsWhatWritesReplaced,
    SkipsARevision,
    TakesARevisionForNothing,
    TakesLessForLessOrEqual,
    TakesAbsentForEmpty,
    ReadsNowForThen,
    ReadsTheFuture,
    IgnoresTheLimit,
    CutsBeforeItSorts,
    SendsValuesForKeys,
    KeepsKeysOfLeases,
    RevokesKeyByKey,
    RenewsWhatIsGone,
    RenewsInWordsOnly,
    ForgetsToAbandon,
    ActsUnasked,
    WritesAKeyTwice,
];

/// A store that has this fault.
#[derive(Debug)]
pub(super) struct Broken {
    store: MemoryStore,
    fault: Fault,
}

// === impl Broken ===

impl Broken {
    pub(super) fn new(fault: Fault) -> Self {
        let store = MemoryStore::new();
        Self { store, fault }
    }

    fn bend_txn(&self, txn: &mut Txn) {
        for compare in &mut txn.compares {
            let is_less = compare.relation == Relation::Less;
            match &mut compare.target {
                Target::CreateRevision(n) | Target::ModRevision(n) | Target::Version(n)
                    if is_less && self.fault == TakesLessForLessOrEqual =>
                {
                    *n += 1;
                }
                Target::Value(value) if self.fault == TakesAbsentForEmpty && value.is_empty() => {
                    compare.target = Target::Version(0);
                }
                _ => {}
            }
        }
        for op in txn.then.iter_mut().chain(&mut txn.otherwise) {
            match op {
                Op::Put(put) if self.fault == KeepsKeysOfLeases => put.lease = LeaseId::NONE,
                Op::Put(put) if self.fault == ForgetsWhatWritesReplaced => put.prev_kv = false,
                Op::Delete(delete) if self.fault == ForgetsWhatWritesReplaced => {
                    delete.prev_kv = false;
                }
                _ => {}
            }
        }
        if self.fault == WritesAKeyTwice {
            let mut seen = Vec::new();
            txn.then.retain(|op| match op {
                Op::Put(put) if seen.contains(&put.key) => false,
                Op::Put(put) => {
                    seen.push(put.key.clone());
                    true
                }
                _ => true,
            });
        }
    }

    async fn after_txn(&self, before: i64, changed: bool) {
        let again = match self.fault {
            SkipsARevision => changed,
            TakesARevisionForNothing => !changed,
            _ => false,
        };
        if again && before > 0 {
            put(&self.store, "~", "").await;
            let gone = Delete::one("~");
            self.store.delete(gone).await.unwrap();
        }
    }
}

impl Store for Broken {
    fn range(&self, mut range: Range) -> StoreFuture<'_, RangeResponse> {
        match self.fault {
            ReadsNowForThen => range = range.at(0),
            IgnoresTheLimit => range = range.limit(0),
            SendsValuesForKeys => range.keys_only = false,
            _ => {}
        }
        let sort = range.sort;
        Box::pin(async move {
            if self.fault == ReadsTheFuture && range.revision > 0 {
                let now = self.store.range(Range::one("-")).await?.revision;
                range.revision = range.revision.min(now);
            }
            if self.fault == CutsBeforeItSorts && range.limit > 0 {
                range.sort = None;
                let mut found = self.store.range(range).await?;
                if sort.is_some() {
                    found.kvs.reverse();
                }
                return Ok(found);
            }
            self.store.range(range).await
        })
    }

    fn txn(&self, mut txn: Txn) -> StoreFuture<'_, TxnResponse> {
        self.bend_txn(&mut txn);
        let before = self.store.range(Range::one("-"));
        if self.fault == ActsUnasked {
            let answer = self.store.txn(txn).now_or_never().unwrap();
            return Box::pin(async { answer });
        }
        Box::pin(async move {
            let before = before.await?.revision;
            let answer = self.store.txn(txn).await?;
            self.after_txn(before, answer.revision > before).await;
            Ok(answer)
        })
    }

    fn grant(&self, ttl: Duration) -> StoreFuture<'_, Lease> {
        self.store.grant(ttl)
    }

    fn keep_alive(&self, lease: LeaseId) -> StoreFuture<'_, Duration> {
        Box::pin(async move {
            match self.fault {
                RenewsWhatIsGone => match self.store.keep_alive(lease).await {
                    Err(StoreError::LeaseNotFound { .. }) => Ok(Duration::from_secs(5)),
                    answer => answer,
                },
                RenewsInWordsOnly => Ok(self.store.time_to_live(lease).await?.granted),
                _ => self.store.keep_alive(lease).await,
            }
        })
    }

    fn revoke(&self, lease: LeaseId) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            if self.fault == RevokesKeyByKey {
                for key in self.store.time_to_live(lease).await?.keys {
                    let one = Delete::one(key);
                    self.store.delete(one).await?;
                }
            }
            self.store.revoke(lease).await
        })
    }

    fn abandon(&self, lease: LeaseId) {
        if self.fault == ForgetsToAbandon {
            // And keeps it for ever.
            let keep = self.store.clone();
            let forever = async move {
                while keep.keep_alive(lease).await.is_ok() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            };
            #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
            drop(tokio::spawn(forever));
            return;
        }
        self.store.abandon(lease);
    }

    fn time_to_live(&self, lease: LeaseId) -> StoreFuture<'_, LeaseStatus> {
        self.store.time_to_live(lease)
    }

    fn watch(&self, mut watch: Watch) -> WatchStream {
        let fault = self.fault;
        match fault {
            StartsAWatchLate if watch.from > 0 => watch.from += 1,
            WatchesTooMuch if !watch.keys.is_empty() => {
                watch.keys = Keys::starting_at(watch.keys.start().clone());
            }
            ForgetsWhatEventsReplaced => watch.prev_kv = false,
            TellsWhatNobodyAsked => watch.prev_kv = true,
            _ => {}
        }
        let batches = self.store.watch(watch);
        let bent = batches.enumerate().flat_map(move |(nth, batch)| {
            let batches = match batch {
                Ok(batch) => bend_batch(fault, nth, batch).into_iter().map(Ok).collect(),
                error => vec![error],
            };
            stream::iter(batches)
        });
        bent.boxed()
    }
}

fn bend_batch(fault: Fault, nth: usize, mut batch: WatchBatch) -> Vec<WatchBatch> {
    match fault {
        LosesAnEvent => {
            batch.events.pop();
            vec![batch]
        }
        RepeatsABatch if nth == 0 => vec![batch.clone(), batch],
        SplitsARevision => {
            let alone = |event: Event| WatchBatch {
                revision: event.kv.mod_revision,
                events: vec![event],
            };
            batch.events.into_iter().map(alone).collect()
        }
        _ => vec![batch],
    }
}
