//! What changed under some keys, one thing at a time and nothing twice, whatever broke in between.

use crate::coord::{
    follow::{Follow, News},
    store::{Event, EventKind, KeyValue, StoreError},
};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// The changes to some keys: first what is there, then what differs.
pub(super) struct Changes {
    follow: Follow,
    /// What was told of.
    known: BTreeMap<Bytes, KeyValue>,
    due: VecDeque<Change>,
    /// Nothing is heard at present, or nothing was yet.
    cut_off: bool,
}

/// One thing that happened.
#[derive(Debug)]
pub(super) enum Change {
    Put(KeyValue),
    Delete(Bytes, i64),
    /// Everything that is there has been told of.
    Synced,
    /// Nothing is heard any more; told once.
    Trouble(StoreError),
}

// === impl Changes ===

impl Changes {
    pub(super) const fn new(follow: Follow) -> Self {
        Self {
            follow,
            known: BTreeMap::new(),
            due: VecDeque::new(),
            cut_off: false,
        }
    }

    /// What happened next; dropped unfinished, nothing is lost.
    pub(super) async fn next(&mut self) -> Change {
        loop {
            if let Some(change) = self.due.pop_front() {
                return change;
            }
            match self.follow.next().await {
                News::All(found) => {
                    self.replace(found.kvs, found.revision);
                    self.cut_off = false;
                    self.due.push_back(Change::Synced);
                }
                News::Changes(batch) => {
                    batch.events.into_iter().for_each(|event| self.apply(event));
                    self.synced();
                }
                News::Back => self.synced(),
                News::Trouble(error) => {
                    if !std::mem::replace(&mut self.cut_off, true) {
                        return Change::Trouble(error);
                    }
                }
            }
        }
    }

    fn synced(&mut self) {
        if std::mem::take(&mut self.cut_off) {
            self.due.push_back(Change::Synced);
        }
    }

    fn apply(&mut self, event: Event) {
        match event.kind {
            EventKind::Put => self.put(event.kv),
            EventKind::Delete => self.delete(event.kv.key, event.kv.mod_revision),
        }
    }

    /// Tells the difference between what was known and what is there.
    fn replace(&mut self, kvs: Vec<KeyValue>, revision: i64) {
        let mut gone = self.known.clone();
        for kv in kvs {
            gone.remove(&kv.key);
            self.put(kv);
        }
        for key in gone.into_keys() {
            self.delete(key, revision);
        }
    }

    fn put(&mut self, kv: KeyValue) {
        let told = self.known.insert(kv.key.clone(), kv.clone());
        if told.as_ref() != Some(&kv) {
            self.due.push_back(Change::Put(kv));
        }
    }

    fn delete(&mut self, key: Bytes, revision: i64) {
        if self.known.remove(&key).is_some() {
            self.due.push_back(Change::Delete(key, revision));
        }
    }
}
