//! Leases: who holds which keys, and until when.

use crate::coord::store::{LeaseId, LeaseStatus, StoreError};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use ziggurat_core::clock::Instant;

/// All leases that have not ended.
#[derive(Debug, Default)]
pub(super) struct Leases {
    granted: BTreeMap<LeaseId, Granted>,
    ends: BTreeSet<(Instant, LeaseId)>,
    last: i64,
}

#[derive(Debug)]
struct Granted {
    ttl: Duration,
    ends: Instant,
    keys: BTreeSet<Bytes>,
}

/// About 285 years, which is etcd's limit: 9 000 000 000 s.
const MAX_TTL: Duration = Duration::from_secs(9_000_000_000);

// === impl Leases ===

impl Leases {
    pub(super) fn grant(&mut self, ttl: Duration, now: Instant) -> Result<LeaseId, StoreError> {
        if ttl.is_zero() || ttl > MAX_TTL {
            let rule = "must be above zero and at most 9000000000 seconds";
            return Err(StoreError::invalid("ttl", format_args!("{ttl:?}"), rule));
        }
        self.last += 1;
        let lease = LeaseId(self.last);
        let ends = now + ttl;
        let keys = BTreeSet::new();
        self.granted.insert(lease, Granted { ttl, ends, keys });
        self.ends.insert((ends, lease));
        Ok(lease)
    }

    pub(super) fn keep_alive(
        &mut self,
        lease: LeaseId,
        now: Instant,
    ) -> Result<Duration, StoreError> {
        let granted = self
            .granted
            .get_mut(&lease)
            .ok_or(StoreError::LeaseNotFound { lease })?;
        self.ends.remove(&(granted.ends, lease));
        granted.ends = now + granted.ttl;
        self.ends.insert((granted.ends, lease));
        Ok(granted.ttl)
    }

    /// Ends a lease and answers the keys that were attached to it.
    pub(super) fn end(&mut self, lease: LeaseId) -> Result<BTreeSet<Bytes>, StoreError> {
        let granted = self
            .granted
            .remove(&lease)
            .ok_or(StoreError::LeaseNotFound { lease })?;
        self.ends.remove(&(granted.ends, lease));
        Ok(granted.keys)
    }

    pub(super) fn status(&self, lease: LeaseId, now: Instant) -> Result<LeaseStatus, StoreError> {
        let granted = self
            .granted
            .get(&lease)
            .ok_or(StoreError::LeaseNotFound { lease })?;
        Ok(LeaseStatus {
            remaining: granted.ends.saturating_duration_since(now),
            granted: granted.ttl,
            keys: granted.keys.iter().cloned().collect(),
        })
    }

    /// The lease that has run out by now, the longest overdue one first.
    pub(super) fn overdue(&self, now: Instant) -> Option<LeaseId> {
        let (ends, lease) = self.ends.first()?;
        (*ends <= now).then_some(*lease)
    }

    /// When the next lease runs out.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.ends.first().map(|(ends, _)| *ends)
    }

    pub(super) fn knows(&self, lease: LeaseId) -> bool {
        self.granted.contains_key(&lease)
    }

    pub(super) fn attach(&mut self, lease: LeaseId, key: Bytes) {
        if let Some(granted) = self.granted.get_mut(&lease) {
            granted.keys.insert(key);
        }
    }

    pub(super) fn detach(&mut self, lease: LeaseId, key: &[u8]) {
        if let Some(granted) = self.granted.get_mut(&lease) {
            granted.keys.remove(key);
        }
    }
}
