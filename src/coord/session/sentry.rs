//! The task that looks after a key of one's own: a lease is worth nothing once its key is gone.

use super::{Loss, Session, Tenure};
use crate::coord::{
    ask::{Patience, limited},
    store::{EventKind, KeyValue, Keys, Range, Store, Watch, WatchBatch},
};
use futures_util::StreamExt;
use std::sync::Arc;
use ziggurat_core::Dice;

/// Watches a key until it is gone.
#[derive(Debug)]
pub(super) struct Sentry {
    store: Arc<dyn Store>,
    tenure: Tenure,
    key: String,
    created: i64,
    from: i64,
    patience: Patience,
}

// === impl Sentry ===

impl Sentry {
    pub(super) fn new(session: &Session, key: &str, created: i64, from: i64, dice: &Dice) -> Self {
        Self {
            store: Arc::clone(&session.store),
            tenure: session.tenure(),
            key: key.to_owned(),
            created,
            from,
            patience: Patience::new(dice),
        }
    }

    pub(super) async fn run(mut self) {
        while self.watch().await && self.look().await {}
        if self.tenure.check().is_ok() {
            tracing::warn!(key = self.key, "key gone while it was held");
        }
        self.tenure.lose(Loss::Deleted);
    }

    /// Follows the key; true if the watch broke, false if the key is gone.
    async fn watch(&mut self) -> bool {
        let watch = Watch::new(Keys::one(self.key.clone())).from(self.from);
        let mut batches = self.store.watch(watch);
        while let Some(Ok(batch)) = batches.next().await {
            self.patience.reset();
            if self.is_gone(&batch) {
                return false;
            }
            self.from = batch.revision + 1;
        }
        true
    }

    /// Looks whether the key is still there, until there is an answer.
    async fn look(&mut self) -> bool {
        loop {
            self.patience.wait().await;
            let range = Range::one(self.key.clone()).keys_only();
            if let Ok(found) = limited(self.store.range(range)).await {
                self.from = found.revision + 1;
                return found.kvs.first().is_some_and(|kv| self.is_own(kv));
            }
        }
    }

    fn is_gone(&self, batch: &WatchBatch) -> bool {
        batch
            .events
            .iter()
            .any(|event| event.kind == EventKind::Delete || !self.is_own(&event.kv))
    }

    /// A key that somebody else wrote is no longer attached to our lease.
    fn is_own(&self, kv: &KeyValue) -> bool {
        kv.create_revision == self.created && kv.lease == self.tenure.lease()
    }
}
