//! A model of a store that is slow and obvious: it keeps every revision whole.

use crate::coord::store::{
    Compare, Event, EventKind, KeyValue, Keys, LeaseId, Put, Range, Relation, SortOrder, Target,
};
use bytes::Bytes;
use std::{collections::BTreeMap, time::Duration};
use ziggurat_core::clock::Instant;

/// All keys at one revision.
pub(super) type Whole = BTreeMap<Bytes, KeyValue>;

/// All that ever was since the model began, with an empty store.
#[derive(Debug)]
pub(super) struct Model {
    /// The revision at which it began.
    base: i64,
    /// The store at `base` and at each revision after it.
    revisions: Vec<Whole>,
    /// The time granted, and its end.
    pub(super) leases: BTreeMap<LeaseId, (Duration, Instant)>,
}

// === impl Model ===

impl Model {
    pub(super) fn new(base: i64) -> Self {
        Self {
            base,
            revisions: vec![Whole::new()],
            leases: BTreeMap::new(),
        }
    }

    pub(super) fn put(&self, whole: &mut Whole, put: &Put) {
        let revision = self.revision() + 1;
        let kv = whole.entry(put.key.clone()).or_insert_with(|| KeyValue {
            key: put.key.clone(),
            create_revision: revision,
            ..KeyValue::default()
        });
        kv.value = put.value.clone();
        kv.mod_revision = revision;
        kv.version += 1;
        kv.lease = put.lease;
    }

    /// Makes this the next revision, unless nothing has changed.
    pub(super) fn commit(&mut self, whole: Whole) {
        if whole != *self.now() {
            self.revisions.push(whole);
        }
    }

    pub(super) fn end(&mut self, lease: LeaseId) {
        self.leases.remove(&lease);
        let mut whole = self.now().clone();
        whole.retain(|_, kv| kv.lease != lease);
        self.commit(whole);
    }

    /// Ends all leases that have run out, each at a revision of its own.
    pub(super) fn expire(&mut self, now: Instant) {
        let due = |model: &Self| {
            let ends = model.leases.iter().map(|(lease, (_, end))| (*end, *lease));
            ends.filter(|(end, _)| *end <= now).min()
        };
        while let Some((_, lease)) = due(self) {
            self.end(lease);
        }
    }

    pub(super) const fn base(&self) -> i64 {
        self.base
    }

    pub(super) fn revision(&self) -> i64 {
        self.base + self.revisions.len() as i64 - 1
    }

    pub(super) fn now(&self) -> &Whole {
        self.at(self.revision())
    }

    /// What a range outside of a transaction must find: keys, whether there are more, their count.
    pub(super) fn range(&self, range: &Range) -> (Vec<KeyValue>, bool, usize) {
        let revision = match range.revision {
            0 => self.revision(),
            revision => revision,
        };
        let mut kvs = inside(self.at(revision), &range.keys);
        let count = kvs.len();
        let newest = range.max_create_revision;
        kvs.retain(|kv| newest == 0 || kv.create_revision <= newest);
        if let Some((_, SortOrder::Descending)) = range.sort {
            kvs.reverse();
        }
        let more = range.limit > 0 && kvs.len() > range.limit;
        if more {
            kvs.truncate(range.limit);
        }
        if range.keys_only {
            kvs.iter_mut().for_each(|kv| kv.value = Bytes::new());
        }
        (kvs, more, count)
    }

    pub(super) fn holds(&self, compare: &Compare) -> bool {
        let inside = inside(self.now(), &compare.keys);
        if inside.is_empty() {
            let is_value = matches!(compare.target, Target::Value(_));
            return !is_value && stands(&KeyValue::default(), compare);
        }
        inside.iter().all(|kv| stands(kv, compare))
    }

    /// What a watch from this revision on has to deliver, sorted by revision and key.
    pub(super) fn events(&self, keys: &Keys, from: i64) -> Vec<Event> {
        let revisions = from.max(self.base + 1)..=self.revision();
        let events = revisions.flat_map(|revision| self.events_of(revision));
        events
            .filter(|event| keys.contains(&event.kv.key))
            .collect()
    }

    fn events_of(&self, revision: i64) -> Vec<Event> {
        let (old, new) = (self.at(revision - 1), self.at(revision));
        let mut changed: Vec<_> = old.keys().chain(new.keys()).collect();
        changed.sort();
        changed.dedup();
        changed.retain(|key| old.get(*key) != new.get(*key));
        let event = |key: &Bytes| {
            let gone = KeyValue {
                key: key.clone(),
                mod_revision: revision,
                ..KeyValue::default()
            };
            let (kind, kv) = match new.get(key) {
                Some(kv) => (EventKind::Put, kv.clone()),
                None => (EventKind::Delete, gone),
            };
            let prev = old.get(key).cloned();
            Event { kind, kv, prev }
        };
        changed.into_iter().map(event).collect()
    }

    fn at(&self, revision: i64) -> &Whole {
        &self.revisions[(revision - self.base) as usize]
    }
}

/// The stored keys that are among the asked ones, sorted.
pub(super) fn inside(whole: &Whole, keys: &Keys) -> Vec<KeyValue> {
    let inside = whole.values().filter(|kv| keys.contains(&kv.key));
    inside.cloned().collect()
}

/// Spelled out anew, so that the store and the model do not share a mistake.
fn stands(kv: &KeyValue, compare: &Compare) -> bool {
    let stand = match &compare.target {
        Target::Version(version) => kv.version.cmp(version),
        Target::CreateRevision(revision) => kv.create_revision.cmp(revision),
        Target::ModRevision(revision) => kv.mod_revision.cmp(revision),
        Target::Value(value) => kv.value.cmp(value),
        Target::Lease(lease) => kv.lease.cmp(lease),
    };
    match compare.relation {
        Relation::Equal => stand.is_eq(),
        Relation::NotEqual => stand.is_ne(),
        Relation::Less => stand.is_lt(),
        Relation::Greater => stand.is_gt(),
    }
}
