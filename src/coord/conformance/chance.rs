//! What a random script asks a store: few keys and few values, so that they meet.

use super::model::Model;
use crate::coord::store::{
    Compare, Delete, Keys, LeaseId, Op, Put, Range, Relation, SortBy, SortOrder, Target, Txn,
};
use ziggurat_core::Dice;

/// Draws questions.
#[derive(Debug)]
pub(super) struct Chance {
    pub(super) dice: Dice,
    /// All that were ever granted, and one that never was.
    pub(super) leases: Vec<LeaseId>,
}

/// Some of them are next to each other, and some are prefixes of others.
pub(super) const KEYS: [&str; 6] = ["a", "a/1", "a/2", "a0", "b", "b/1"];

const NEVER_GRANTED: LeaseId = LeaseId(i64::MAX);

// === impl Chance ===

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::seeded(seed),
            leases: vec![NEVER_GRANTED],
        }
    }

    pub(super) fn pick<T: Clone>(&self, from: &[T]) -> T {
        from[self.dice.below(from.len())].clone()
    }

    pub(super) fn one_in(&self, many: usize) -> bool {
        self.dice.below(many) == 0
    }

    pub(super) fn keys(&self) -> Keys {
        let key = self.pick(&KEYS);
        match self.dice.below(5) {
            0 => Keys::prefix(key),
            1 => Keys::between(key, self.pick(&KEYS)),
            2 => Keys::prefix(""),
            _ => Keys::one(key),
        }
    }

    pub(super) fn txn(&self, model: &Model) -> Txn {
        let compares = (0..self.dice.below(3)).map(|_| self.compare(model));
        let txn = Txn::new().when(compares.collect::<Vec<_>>());
        txn.then(self.ops()).otherwise(self.ops())
    }

    /// At any revision since the model began.
    pub(super) fn range(&self, model: &Model) -> Range {
        let mut range = Range::new(self.keys()).limit(self.dice.below(3));
        if !self.one_in(4) {
            range = range.at(self.revision(model));
        }
        if self.one_in(4) {
            range = range.keys_only();
        }
        if self.one_in(4) {
            range = range.max_create_revision(self.revision(model));
        }
        match self.dice.below(3) {
            0 => range.sort(SortBy::Key, SortOrder::Ascending),
            1 => range.sort(SortBy::Key, SortOrder::Descending),
            _ => range,
        }
    }

    fn revision(&self, model: &Model) -> i64 {
        model.base()
            + self
                .dice
                .below((model.revision() - model.base()) as usize + 1) as i64
    }

    fn lease(&self) -> LeaseId {
        if self.one_in(2) {
            LeaseId::NONE
        } else {
            self.pick(&self.leases)
        }
    }

    fn value(&self) -> String {
        match self.dice.below(5) {
            0 => String::new(),
            n => n.to_string(),
        }
    }

    fn compare(&self, model: &Model) -> Compare {
        let revision = if self.one_in(3) {
            0
        } else {
            self.revision(model)
        };
        let relations = [
            Relation::Equal,
            Relation::NotEqual,
            Relation::Less,
            Relation::Greater,
        ];
        let target = match self.dice.below(5) {
            0 => Target::Version(self.dice.below(4) as i64),
            1 => Target::CreateRevision(revision),
            2 => Target::ModRevision(revision),
            3 => Target::Value(self.value().into()),
            _ => Target::Lease(self.lease()),
        };
        Compare::new(self.keys(), self.pick(&relations), target)
    }

    fn ops(&self) -> Vec<Op> {
        (0..self.dice.below(4)).map(|_| self.op()).collect()
    }

    fn op(&self) -> Op {
        match self.dice.below(4) {
            0 => Delete::new(self.keys()).prev_kv().into(),
            1 => Range::new(self.keys()).into(),
            _ => {
                let put = Put::new(self.pick(&KEYS), self.value());
                put.lease(self.lease()).prev_kv().into()
            }
        }
    }
}
