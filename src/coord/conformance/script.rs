//! One random script, step by step: the store and the model do the same, and must answer the same.

mod read;
mod txn;
mod watched;

use self::watched::Watched;
use super::{
    chance::{Chance, KEYS},
    expect,
    model::Model,
};
use crate::coord::store::{Delete, Keys, Put, Range, Store, StoreError, Txn};
use std::time::Duration;
use tokio::time;
use ziggurat_core::clock;

/// A store, and what it must be like.
pub(super) struct Script<'a> {
    store: &'a dyn Store,
    model: Model,
    chance: Chance,
    watches: Vec<Watched>,
    /// Whether the store's time is ours.
    exact: bool,
}

const MS: Duration = Duration::from_millis(1);
/// Of a lease that outlasts the script.
const LONG: Duration = Duration::from_secs(3_600);

// === impl Script ===

impl<'a> Script<'a> {
    pub(super) async fn begin(seed: u64, exact: bool, store: &'a dyn Store) -> Self {
        let found = store.range(Range::prefix("")).await;
        let found = expect::answered("a range of all keys", found);
        expect::equal("keys before a random script", found.count, 0);
        Self {
            store,
            model: Model::new(found.revision),
            chance: Chance::new(seed),
            watches: Vec::new(),
            exact,
        }
    }

    pub(super) async fn step(&mut self) {
        match self.chance.dice.below(12) {
            0..=5 => {
                let txn = self.chance.txn(&self.model);
                txn::play(self.store, &mut self.model, txn).await;
            }
            6 => self.grant().await,
            7 => self.keep_alive().await,
            8 => self.revoke().await,
            9 if self.exact => {
                time::sleep(self.chance.dice.duration(MS..200 * MS)).await;
                self.model.expire(clock::now());
            }
            10 => self.watch(),
            _ => read::range(self.store, &self.model, &self.chance).await,
        }
        for watched in &mut self.watches {
            if self.chance.one_in(3) {
                watched.take();
            }
        }
    }

    /// What is there in the end, and what was delivered, is as the model says.
    pub(super) async fn finish(mut self) {
        read::leases(self.store, &self.model, self.exact).await;
        let last = self.watches.iter().map(Watched::from).max();
        let last = last.unwrap_or(0).max(self.model.revision() + 1);
        // Every watch sees some of these keys, so each has a last event to wait for.
        while self.model.revision() < last {
            let end = KEYS.map(|key| Put::new(key, "end").prev_kv());
            txn::play(self.store, &mut self.model, Txn::new().then(end)).await;
        }
        let found = self.store.range(Range::prefix("")).await;
        let found = expect::answered("a range of all keys", found);
        let all: Vec<_> = self.model.now().values().cloned().collect();
        expect::equal(
            "all keys in the end, and the revision",
            (found.kvs, found.revision),
            (all, self.model.revision()),
        );
        for watched in &mut self.watches {
            watched.finish(&self.model).await;
        }
        self.clean().await;
    }

    async fn grant(&mut self) {
        let ttl = if self.exact {
            self.chance.dice.duration(MS..500 * MS)
        } else {
            LONG
        };
        let lease = expect::answered("a grant", self.store.grant(ttl).await);
        if self.exact {
            expect::equal("the time granted", lease.ttl, ttl);
        }
        let ends = clock::now() + lease.ttl;
        self.model.leases.insert(lease.id, (lease.ttl, ends));
        self.chance.leases.push(lease.id);
    }

    async fn keep_alive(&mut self) {
        let lease = self.chance.pick(&self.chance.leases);
        let kept = self.store.keep_alive(lease).await;
        let known = self.model.leases.get_mut(&lease).map(|(ttl, end)| {
            *end = clock::now() + *ttl;
            *ttl
        });
        let expected = known.ok_or(StoreError::LeaseNotFound { lease });
        expect::equal(format_args!("a renewal of {lease:?}"), kept, expected);
    }

    async fn revoke(&mut self) {
        let lease = self.chance.pick(&self.chance.leases);
        let known = self.model.leases.contains_key(&lease);
        let expected = known.then_some(());
        let expected = expected.ok_or(StoreError::LeaseNotFound { lease });
        let revoked = self.store.revoke(lease).await;
        expect::equal(format_args!("a revocation of {lease:?}"), revoked, expected);
        self.model.end(lease);
    }

    fn watch(&mut self) {
        let first = self.model.base() + 1;
        let coming = self.model.revision() + 4 - first;
        let mut from = first + self.chance.dice.below(coming as usize) as i64;
        if self.exact && self.chance.one_in(4) {
            from = 0;
        }
        let (keys, prev_kv) = (self.chance.keys(), self.chance.one_in(2));
        if !keys.is_empty() {
            let next = self.model.revision() + 1;
            let watched = Watched::new(self.store, keys, from, next, prev_kv);
            self.watches.push(watched);
        }
    }

    /// Leaves nothing behind.
    async fn clean(self) {
        for lease in self.model.leases.keys() {
            expect::answered("a revocation", self.store.revoke(*lease).await);
        }
        let all = Delete::new(Keys::prefix(""));
        expect::answered("a delete of all keys", self.store.delete(all).await);
    }
}
