//! The store itself, as a plain state machine: no clock, no lock, no task.

use super::{
    check,
    history::{FIRST_REVISION, History},
    leases::Leases,
    view::View,
};
use crate::coord::store::{
    Compare, Delete, DeleteResponse, Event, EventKind, KeyValue, LeaseId, Op, OpResponse, Put,
    PutResponse, Range, RangeResponse, StoreError, Target, Txn, TxnResponse,
};
use bytes::Bytes;
use std::{cmp::Ordering, collections::BTreeMap, mem, num::NonZeroUsize};
use ziggurat_core::clock::Instant;

/// Keys, leases and history at one revision.
#[derive(Debug)]
pub(super) struct State {
    revision: i64,
    keys: BTreeMap<Bytes, KeyValue>,
    history: History,
    pub(super) leases: Leases,
}

// === impl State ===

impl State {
    pub(super) const fn new(history: NonZeroUsize, leases: Leases) -> Self {
        Self {
            revision: FIRST_REVISION,
            keys: BTreeMap::new(),
            history: History::new(history),
            leases,
        }
    }

    pub(super) const fn revision(&self) -> i64 {
        self.revision
    }

    pub(super) const fn history(&self) -> &History {
        &self.history
    }

    /// Reads keys.
    pub(super) fn range(&self, range: &Range) -> Result<RangeResponse, StoreError> {
        check::keys(&range.keys)?;
        self.check_revision(range.revision)?;
        Ok(self.read(range, &[]))
    }

    /// Compares, then does one branch or the other; or nothing at all, if it fails.
    pub(super) fn txn(&mut self, txn: Txn) -> Result<TxnResponse, StoreError> {
        check::txn(&txn)?;
        let succeeded = txn.compares.iter().all(|compare| self.holds(compare));
        let ops = if succeeded { txn.then } else { txn.otherwise };
        for op in &ops {
            self.check_op(op)?;
        }
        let mut events = Vec::new();
        let responses = ops
            .into_iter()
            .map(|op| self.apply(op, &mut events))
            .collect();
        self.commit(events);
        Ok(TxnResponse {
            succeeded,
            revision: self.revision,
            responses,
        })
    }

    /// Ends a lease and deletes its keys, at one revision.
    pub(super) fn revoke(&mut self, lease: LeaseId) -> Result<(), StoreError> {
        let keys = self.leases.end(lease)?;
        let mut events = Vec::new();
        for key in keys {
            self.remove(&key, &mut events);
        }
        self.commit(events);
        Ok(())
    }

    /// Ends every lease whose time has run out, each at a revision of its own.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some(lease) = self.leases.overdue(now) {
            if self.revoke(lease).is_err() {
                break;
            }
        }
    }

    /// Forgets what happened before `revision`.
    pub(super) fn compact(&mut self, revision: i64) -> Result<(), StoreError> {
        if revision > self.revision {
            return Err(StoreError::FutureRevision {
                requested: revision,
                current: self.revision,
            });
        }
        let at = self.history.compacted();
        if revision <= at {
            let requested = revision;
            return Err(StoreError::Compacted { requested, at });
        }
        self.history.compact(revision);
        Ok(())
    }

    fn check_op(&self, op: &Op) -> Result<(), StoreError> {
        match op {
            Op::Range(range) => self.check_revision(range.revision),
            Op::Put(put) if put.lease.is_some() && !self.leases.knows(put.lease) => {
                Err(StoreError::LeaseNotFound { lease: put.lease })
            }
            Op::Put(_) | Op::Delete(_) => Ok(()),
        }
    }

    fn check_revision(&self, requested: i64) -> Result<(), StoreError> {
        let (at, current) = (self.history.compacted(), self.revision);
        if requested > current {
            return Err(StoreError::FutureRevision { requested, current });
        }
        if requested > 0 && requested < at {
            return Err(StoreError::Compacted { requested, at });
        }
        Ok(())
    }

    fn holds(&self, compare: &Compare) -> bool {
        let is = |kv: &KeyValue| compare.relation.holds(stand(kv, &compare.target));
        let mut stored = View::new(&self.keys, &compare.keys).peekable();
        if stored.peek().is_some() {
            return stored.all(is);
        }
        // An absent key has no value, not an empty one.
        !matches!(compare.target, Target::Value(_)) && is(&KeyValue::default())
    }

    fn apply(&mut self, op: Op, events: &mut Vec<Event>) -> OpResponse {
        match op {
            Op::Range(range) => OpResponse::Range(self.read(&range, events)),
            Op::Put(put) => OpResponse::Put(self.write(put, events)),
            Op::Delete(delete) => OpResponse::Delete(self.delete(&delete, events)),
        }
    }

    /// Reads in the middle of a change that has made these events so far.
    fn read(&self, range: &Range, events: &[Event]) -> RangeResponse {
        let revision = self.revision_with(events);
        if range.revision <= 0 || range.revision == revision {
            if let Some(page) = super::view::page(range, View::new(&self.keys, &range.keys)) {
                return RangeResponse { revision, ..page };
            }
            let kvs = View::new(&self.keys, &range.keys).cloned().collect();
            return super::view::answer(range, kvs, revision);
        }
        let now = View::new(&self.keys, &range.keys);
        let mut past: BTreeMap<_, _> = now.map(|kv| (kv.key.clone(), kv.clone())).collect();
        let since = events
            .iter()
            .rev()
            .chain(self.history.back_to(range.revision));
        for event in since.filter(|event| range.keys.contains(&event.kv.key)) {
            match &event.prev {
                Some(prev) => past.insert(prev.key.clone(), prev.clone()),
                None => past.remove(&event.kv.key),
            };
        }
        super::view::answer(range, past.into_values().collect(), revision)
    }

    fn write(&mut self, put: Put, events: &mut Vec<Event>) -> PutResponse {
        let revision = self.revision + 1;
        let mut kv = KeyValue {
            create_revision: revision,
            mod_revision: revision,
            version: 1,
            key: put.key,
            value: put.value,
            lease: put.lease,
        };
        let prev = match self.keys.get_mut(&kv.key) {
            Some(stored) => {
                kv.create_revision = stored.create_revision;
                kv.version = stored.version + 1;
                Some(mem::replace(stored, kv.clone()))
            }
            None => self.keys.insert(kv.key.clone(), kv.clone()),
        };
        if let Some(prev) = &prev {
            self.leases.detach(prev.lease, &prev.key);
        }
        self.leases.attach(kv.lease, kv.key.clone());
        let shown = prev.clone().filter(|_| put.prev_kv);
        let kind = EventKind::Put;
        events.push(Event { kind, kv, prev });
        PutResponse {
            revision,
            prev: shown,
        }
    }

    fn delete(&mut self, delete: &Delete, events: &mut Vec<Event>) -> DeleteResponse {
        let found: Vec<_> = View::new(&self.keys, &delete.keys).cloned().collect();
        for kv in &found {
            self.leases.detach(kv.lease, &kv.key);
            self.remove(&kv.key, events);
        }
        DeleteResponse {
            revision: self.revision_with(events),
            deleted: found.len(),
            prev: if delete.prev_kv { found } else { Vec::new() },
        }
    }

    fn remove(&mut self, key: &Bytes, events: &mut Vec<Event>) {
        let Some(prev) = self.keys.remove(key) else {
            return;
        };
        let kv = KeyValue {
            key: key.clone(),
            mod_revision: self.revision + 1,
            ..KeyValue::default()
        };
        events.push(Event {
            kind: EventKind::Delete,
            kv,
            prev: Some(prev),
        });
    }

    const fn revision_with(&self, events: &[Event]) -> i64 {
        self.revision + !events.is_empty() as i64
    }

    fn commit(&mut self, events: Vec<Event>) {
        if !events.is_empty() {
            self.revision += 1;
            self.history.push(events);
        }
    }
}

/// How what is stored stands to what it is compared with.
fn stand(kv: &KeyValue, target: &Target) -> Ordering {
    match target {
        Target::Version(version) => kv.version.cmp(version),
        Target::CreateRevision(revision) => kv.create_revision.cmp(revision),
        Target::ModRevision(revision) => kv.mod_revision.cmp(revision),
        Target::Value(value) => kv.value.cmp(value),
        Target::Lease(lease) => kv.lease.cmp(lease),
    }
}

#[cfg(test)]
mod tests;
