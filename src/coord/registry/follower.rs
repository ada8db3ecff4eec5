//! The task behind a feed: what is heard of a service becomes a snapshot of its instances.

use super::{
    Registry,
    feed::{News, Snapshot},
    layout::Entry,
};
use crate::coord::{
    follow::{self, Follow},
    store::{Event, EventKind, KeyValue, Keys, StoreError},
};
use std::sync::Arc;
use tokio::sync::watch;
use ziggurat_core::{EndpointId, Instance};

/// Keeps a snapshot up to date and tells of each that differs.
pub(super) struct Follower {
    registry: Registry,
    service: String,
    follow: Follow,
    tell: watch::Sender<News>,
    held: Arc<Snapshot>,
}

// === impl Follower ===

impl Follower {
    pub(super) fn new(
        registry: Registry,
        service: String,
        prefix: String,
        tell: watch::Sender<News>,
    ) -> Self {
        let store = Arc::clone(&registry.store);
        let follow = Follow::new(store, Keys::prefix(prefix), registry.dice.clone());
        Self {
            registry,
            service,
            follow,
            tell,
            held: Arc::default(),
        }
    }

    /// Never ends; it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            match self.follow.next().await {
                follow::News::All(found) => self.replace(&found.kvs),
                follow::News::Changes(batch) => {
                    batch.events.iter().for_each(|event| self.apply(event));
                }
                follow::News::Back => {}
                follow::News::Trouble(error) => {
                    self.trouble(error);
                    continue;
                }
            }
            self.publish();
        }
    }

    fn replace(&mut self, kvs: &[KeyValue]) {
        let before = Arc::clone(&self.held);
        let now = kvs.iter().filter_map(|kv| self.entry(kv, &before));
        self.held = Arc::new(now.collect());
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

    /// What is held stays.
    fn trouble(&self, error: StoreError) {
        self.tell.send_if_modified(|news| {
            let is_new = news.trouble.is_none();
            news.trouble = Some(error);
            is_new
        });
    }
}
