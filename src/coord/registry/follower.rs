//! The task behind a feed: list, then watch from there; again and again.
//!
//! ```text
//!          +--------- compacted ---------+
//!          v                             |
//!   list (until it is answered) -> watch from revision + 1 -> apply, watch on
//!                                        ^                         |
//!                                        +-- broken: last + 1 -----+   (once the store answers)
//! ```

use super::{
    Registry,
    feed::{News, Snapshot},
    layout::Entry,
    limited, retry,
};
use crate::coord::store::{Event, EventKind, KeyValue, Keys, Range, StoreError, Watch, WatchError};
use futures_util::StreamExt;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time};
use ziggurat_core::{EndpointId, Instance, clock};

/// Keeps a snapshot up to date and tells of each that differs.
#[derive(Debug)]
pub(super) struct Follower {
    registry: Registry,
    service: String,
    prefix: String,
    tell: watch::Sender<News>,
    held: Arc<Snapshot>,
    failures: u32,
}

/// A watch that held this long was a good one: what comes next is a new trouble.
const SETTLED: Duration = Duration::from_secs(10);

// === impl Follower ===

impl Follower {
    pub(super) fn new(
        registry: Registry,
        service: String,
        prefix: String,
        tell: watch::Sender<News>,
    ) -> Self {
        Self {
            registry,
            service,
            prefix,
            tell,
            held: Arc::default(),
            failures: 0,
        }
    }

    /// Never ends; it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            match self.list().await {
                Ok(revision) => self.watch(revision + 1).await,
                Err(error) => self.wait(error).await,
            }
        }
    }

    /// Reads everything anew and answers the revision at which it was read.
    async fn list(&mut self) -> Result<i64, StoreError> {
        let range = Range::prefix(self.prefix.clone());
        let found = limited(self.registry.store.range(range)).await?;
        let before = Arc::clone(&self.held);
        let mut now = Snapshot::new();
        for kv in &found.kvs {
            if let Some((id, instance)) = self.entry(kv, &before) {
                now.insert(id, instance);
            }
        }
        self.held = Arc::new(now);
        self.failures = 0;
        self.publish();
        Ok(found.revision)
    }

    /// Follows the changes from this revision on, until some of them cannot be had any more.
    async fn watch(&mut self, mut next: i64) {
        loop {
            let begun = clock::now();
            let broken = match self.watch_once(&mut next).await {
                WatchError::Broken(error) => error,
                gone => {
                    tracing::info!(service = self.service, next, %gone, "registry is read anew");
                    return;
                }
            };
            if clock::now() - begun > SETTLED {
                self.failures = 0;
            }
            self.wait(broken).await;
            // A new watch says nothing until something changes, so ask for a sign of life.
            let revision = loop {
                match self.ask().await {
                    Ok(revision) => break revision,
                    Err(error) => self.wait(error).await,
                }
            };
            if revision + 1 < next {
                tracing::warn!(
                    service = self.service,
                    next,
                    revision,
                    "the store went back in time"
                );
                return;
            }
        }
    }

    /// Follows one watch until it ends.
    async fn watch_once(&mut self, next: &mut i64) -> WatchError {
        let keys = Keys::prefix(self.prefix.clone());
        let watch = Watch::new(keys).from(*next).progress();
        let mut batches = self.registry.store.watch(watch);
        loop {
            match batches.next().await {
                Some(Ok(batch)) => {
                    *next = batch.revision + 1;
                    batch.events.iter().for_each(|event| self.apply(event));
                    self.failures = 0;
                    self.publish();
                }
                Some(Err(error)) => return error,
                None => return StoreError::unavailable("the watch ended").into(),
            }
        }
    }

    /// The present revision of the store.
    async fn ask(&self) -> Result<i64, StoreError> {
        let range = Range::prefix(self.prefix.clone()).limit(1).keys_only();
        let found = limited(self.registry.store.range(range)).await?;
        self.publish();
        Ok(found.revision)
    }

    fn apply(&mut self, event: &Event) {
        match event.kind {
            EventKind::Put => {
                let before = Arc::clone(&self.held);
                if let Some((id, instance)) = self.entry(&event.kv, &before) {
                    drop(before);
                    Arc::make_mut(&mut self.held).insert(id, instance);
                }
            }
            EventKind::Delete => {
                if let Some(id) = self.registry.layout.id(&self.service, &event.kv.key) {
                    Arc::make_mut(&mut self.held).remove(&EndpointId::new(id));
                }
            }
        }
    }

    /// The instance under a key: the one known before if it is the same, or if what is there now
    /// makes no sense.
    fn entry(&self, kv: &KeyValue, before: &Snapshot) -> Option<(EndpointId, Arc<Instance>)> {
        let known = |id: &EndpointId| before.get(id).map(Arc::clone);
        match self.registry.read(&self.service, kv) {
            Entry::Instance(instance) => {
                let id = instance.id().clone();
                let same = known(&id).filter(|known| **known == instance);
                Some((id, same.unwrap_or_else(|| Arc::new(instance))))
            }
            Entry::Bad(_) => {
                let id = EndpointId::new(self.registry.layout.id(&self.service, &kv.key)?);
                known(&id).map(|known| (id, known))
            }
            Entry::Foreign => None,
        }
    }

    /// Tells what is known now, unless that is what was told before.
    fn publish(&self) {
        self.tell.send_if_modified(|news| {
            let recovered = news.trouble.take().is_some();
            let same = news
                .snapshot
                .as_ref()
                .is_some_and(|told| *told == self.held);
            if !same {
                news.snapshot = Some(Arc::clone(&self.held));
            }
            recovered || !same
        });
    }

    /// What is held stays; after a while the store is asked again.
    async fn wait(&mut self, error: StoreError) {
        if self.failures == 0 {
            tracing::warn!(service = self.service, %error, "registry out of reach, holding on");
        }
        self.failures = self.failures.saturating_add(1);
        let delay = retry().delay(self.failures, &self.registry.dice);
        self.tell.send_if_modified(|news| {
            let is_new = news.trouble.is_none();
            news.trouble = Some(error);
            is_new
        });
        time::sleep(delay).await;
    }
}
