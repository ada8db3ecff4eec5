//! The task behind a feed: what is heard of a service becomes a snapshot of its instances.

use super::{
    Registry,
    feed::{News, Snapshot},
    goodbyes::Goodbyes,
    layout::Entry,
};
use crate::coord::{
    follow::{self, Follow},
    store::{Event, EventKind, KeyValue, Keys, StoreError},
};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::watch;
use ziggurat_core::{EndpointId, Instance};

/// Keeps a snapshot up to date and tells of each that differs.
pub(super) struct Follower {
    registry: Registry,
    service: String,
    follow: Follow,
    tell: watch::Sender<News>,
    held: Arc<Snapshot>,
    left: Arc<Goodbyes>,
}

/// What an entry says of the instance under it.
enum Word {
    Here(Arc<Instance>),
    /// Nothing that is new: it is what it was.
    Nothing,
    Goodbye,
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
            left: Arc::default(),
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
        let before = std::mem::take(&mut self.held);
        let mut now = Snapshot::new();
        let mut left = BTreeSet::new();
        for kv in kvs {
            match self.word(kv, &before) {
                Some((id, Word::Here(instance))) => {
                    now.insert(id, instance);
                }
                Some((id, Word::Nothing)) => {
                    let known = before.get(&id).map(Arc::clone);
                    now.extend(known.map(|known| (id, known)));
                }
                Some((id, Word::Goodbye)) => {
                    left.insert(id);
                }
                None => {}
            }
        }
        let gone = before.keys().filter(|id| !now.contains_key(*id));
        for id in gone {
            self.note(id, left.contains(id));
        }
        now.keys().for_each(|id| self.note(id, false));
        self.held = Arc::new(now);
    }

    fn apply(&mut self, event: &Event) {
        match event.kind {
            EventKind::Put => match self.word(&event.kv, &Arc::clone(&self.held)) {
                Some((id, Word::Here(instance))) => {
                    self.note(&id, false);
                    Arc::make_mut(&mut self.held).insert(id, instance);
                }
                Some((id, Word::Goodbye)) => self.remove(&id, true),
                Some((_, Word::Nothing)) | None => {}
            },
            EventKind::Delete => {
                if let Some(id) = self.registry.layout.id(&self.service, &event.kv.key) {
                    self.remove(&EndpointId::new(id), false);
                }
            }
        }
    }

    fn remove(&mut self, id: &EndpointId, said_goodbye: bool) {
        // Whoever said goodbye is deleted after that, and it stays a goodbye.
        if self.held.contains_key(id) {
            Arc::make_mut(&mut self.held).remove(id);
            self.note(id, said_goodbye);
        }
    }

    fn note(&mut self, id: &EndpointId, said_goodbye: bool) {
        if said_goodbye {
            Arc::make_mut(&mut self.left).add(id.clone());
        } else if self.left.contains(id) {
            Arc::make_mut(&mut self.left).forget(id);
        }
    }

    /// What the entry under a key says, of whom: nothing new if it is the one known before, or
    /// makes no sense.
    fn word(&self, kv: &KeyValue, before: &Snapshot) -> Option<(EndpointId, Word)> {
        let own = || {
            Some(EndpointId::new(
                self.registry.layout.id(&self.service, &kv.key)?,
            ))
        };
        Some(match self.registry.read(&self.service, kv) {
            Entry::Instance(instance) => {
                let id = instance.id().clone();
                if before.get(&id).is_some_and(|known| **known == instance) {
                    (id, Word::Nothing)
                } else {
                    (id, Word::Here(Arc::new(instance)))
                }
            }
            Entry::Left => (own()?, Word::Goodbye),
            Entry::Bad(_) => (own()?, Word::Nothing),
            Entry::Foreign => return None,
        })
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
                news.left = Arc::clone(&self.left);
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
