//! The keys that one process knows, in bounded memory.
//!
//! A key that finds no place is asked for at Redis call by call: what is in force is kept there.

use super::{
    limit::{Flight, is_open},
    stock::Stock,
};
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};
use ziggurat_limit::Key;

/// Up to so many keys.
pub(super) struct Table {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
}

/// Some of the keys, under one short lock.
#[derive(Default)]
pub(super) struct Shard {
    slots: HashMap<u64, Slot>,
    most: usize,
    /// When it was last looked through for keys that are idle.
    swept: u64,
    /// Of all keys without a place, while Redis is out of reach.
    pub(super) overflow: Stock,
}

/// One key.
#[derive(Debug)]
pub(super) struct Slot {
    /// As Redis knows it.
    pub(super) name: Arc<str>,
    pub(super) stock: Stock,
    /// What was asked of Redis and is not answered yet.
    pub(super) flight: Option<Flight>,
}

const SHARDS: usize = 64;
/// How often a full shard is looked through: not for every new key.
const SWEEP: u64 = 100_000_000;

// === impl Table ===

impl Table {
    pub(super) fn new(keys: usize) -> Self {
        let shard = || {
            Mutex::new(Shard {
                most: keys.div_ceil(SHARDS),
                ..Shard::default()
            })
        };
        Self {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Nobody can find two keys that share a place, as the hash has a secret of this table.
    pub(super) fn hash(&self, key: Option<&Key<'_>>) -> u64 {
        self.hasher.hash_one(key)
    }

    pub(super) fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        // The map uses the lower bits.
        self.shards[(hash >> 58) as usize % SHARDS].lock()
    }

    pub(super) fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.lock().slots.len())
            .sum()
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").finish_non_exhaustive()
    }
}

// === impl Shard ===

impl Shard {
    pub(super) fn get(&mut self, hash: u64) -> Option<&mut Slot> {
        self.slots.get_mut(&hash)
    }

    /// The place of a key, which is made if there is room.
    pub(super) fn get_or_insert(
        &mut self,
        hash: u64,
        now: u64,
        name: impl FnOnce() -> Arc<str>,
    ) -> Option<&mut Slot> {
        if !self.slots.contains_key(&hash) {
            if self.slots.len() >= self.most {
                self.sweep(now);
            }
            if self.slots.len() >= self.most {
                return None;
            }
            let slot = Slot {
                name: name(),
                stock: Stock::default(),
                flight: None,
            };
            self.slots.insert(hash, slot);
        }
        self.slots.get_mut(&hash)
    }

    /// Forgets keys of which nothing is worth knowing.
    fn sweep(&mut self, now: u64) {
        if now.saturating_sub(self.swept) < SWEEP && self.swept > 0 {
            return;
        }
        self.swept = now.max(1);
        self.slots
            .retain(|_, slot| is_open(slot.flight.as_ref()) || !slot.stock.is_idle(now));
        if self.slots.len() * 4 < self.slots.capacity() {
            self.slots.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::script::{Grant, Want};
    use std::time::Duration;
    use ziggurat_limit::Rate;

    const SECOND: u64 = 1_000_000_000;

    fn name() -> Arc<str> {
        "name".into()
    }

    #[test]
    fn keys_are_bounded_and_idle_ones_make_room() {
        let table = Table::new(SHARDS * 10);
        for n in 0..100_000_u64 {
            let hash = table.hash(Some(&Key::Number(n)));
            let _none = table.shard(hash).get_or_insert(hash, SECOND, name);
        }
        assert_eq!(table.len(), SHARDS * 10);
        // All of them are idle: a new one finds a place.
        let hash = table.hash(None);
        let mut shard = table.shard(hash);
        assert!(shard.get_or_insert(hash, 2 * SECOND, name).is_some());
    }

    #[test]
    fn a_key_that_holds_something_keeps_its_place() {
        let table = Table::new(1);
        let mut shard = table.shard(0);
        let slot = shard.get_or_insert(0, 0, name).unwrap();
        let (granted, wait) = (5, Duration::ZERO);
        let lease = Duration::from_secs(1);
        let rate = Rate::per_second(1).unwrap();
        let (most, least) = (5, 1);
        let want = Want { rate, most, least };
        slot.stock
            .settle(want, Grant { granted, wait }, lease, SECOND);
        assert!(shard.get_or_insert(1, SECOND + 1, name).is_none());
        assert!(shard.get_or_insert(1, 2 * SECOND, name).is_some());
        assert!(shard.get(0).is_none());
    }
}
