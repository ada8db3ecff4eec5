//! Transactions: compare, then do one list of things or the other, as one change.

use super::{Delete, DeleteResponse, Keys, LeaseId, Put, PutResponse, Range, RangeResponse};
use bytes::Bytes;
use std::cmp::Ordering;

/// If all comparisons hold, `then`; or else `otherwise`.
///
/// All operations of a branch happen at one revision, and reads see the writes before them. A key
/// may be written once a branch, and not be deleted by it as well.
///
/// ```
/// use ziggurat::coord::{Compare, Put, Range, Txn};
///
/// // The first to come makes the key, all others read it.
/// let txn = Txn::new()
///     .when([Compare::absent("leader")])
///     .then([Put::new("leader", "me")])
///     .otherwise([Range::one("leader")]);
/// assert_eq!(txn.then.len(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Txn {
    /// What must hold; nothing holds always.
    pub compares: Vec<Compare>,
    /// What is done if it holds, in this order.
    pub then: Vec<Op>,
    /// What is done if it does not, in this order.
    pub otherwise: Vec<Op>,
}

/// A statement about a key, or about each of several keys.
///
/// A key that is absent has revisions, version and lease 0. It has no value: a comparison of values
/// fails for it, even one for being different.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compare {
    /// Which keys; it must hold for each. If there are none of them, for an absent one.
    pub keys: Keys,
    /// How the stored one must stand to the target.
    pub relation: Relation,
    /// What is compared, and with what.
    pub target: Target,
}

/// How the stored one must stand to the given one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has these four")]
pub enum Relation {
    /// The same.
    Equal,
    /// Not the same.
    NotEqual,
    /// Stored is less.
    Less,
    /// Stored is greater.
    Greater,
}

/// What of a key is compared, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has these five")]
pub enum Target {
    /// How many times it was written since it was made.
    Version(i64),
    /// The revision that made it.
    CreateRevision(i64),
    /// The revision that last wrote it.
    ModRevision(i64),
    /// Its value.
    Value(Bytes),
    /// Its lease.
    Lease(LeaseId),
}

/// One thing to do in a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    /// Read keys.
    Range(Range),
    /// Write a key.
    Put(Put),
    /// Delete keys.
    Delete(Delete),
}

/// What a transaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnResponse {
    /// Whether the comparisons held.
    pub succeeded: bool,
    /// The revision of the change, or the present one if nothing was changed.
    pub revision: i64,
    /// The answers to the operations of the branch that was taken, in order.
    pub responses: Vec<OpResponse>,
}

/// The answer to an [`Op`] of the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpResponse {
    /// Keys were read.
    Range(RangeResponse),
    /// A key was written.
    Put(PutResponse),
    /// Keys were deleted.
    Delete(DeleteResponse),
}

// === impl Txn ===

impl Txn {
    /// Compares nothing and does nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            compares: Vec::new(),
            then: Vec::new(),
            otherwise: Vec::new(),
        }
    }

    /// Adds what must hold.
    #[must_use]
    pub fn when(mut self, compares: impl IntoIterator<Item = Compare>) -> Self {
        self.compares.extend(compares);
        self
    }

    /// Adds what is done if it holds.
    #[must_use]
    pub fn then(mut self, ops: impl IntoIterator<Item = impl Into<Op>>) -> Self {
        self.then.extend(ops.into_iter().map(Into::into));
        self
    }

    /// Adds what is done if it does not.
    #[must_use]
    pub fn otherwise(mut self, ops: impl IntoIterator<Item = impl Into<Op>>) -> Self {
        self.otherwise.extend(ops.into_iter().map(Into::into));
        self
    }
}

// === impl Compare ===

impl Compare {
    /// That each of `keys` stands like this to the target.
    #[must_use]
    pub const fn new(keys: Keys, relation: Relation, target: Target) -> Self {
        Self {
            keys,
            relation,
            target,
        }
    }

    /// That there is no such key.
    pub fn absent(key: impl Into<Bytes>) -> Self {
        Self::new(Keys::one(key), Relation::Equal, Target::CreateRevision(0))
    }

    /// That there is such a key.
    pub fn present(key: impl Into<Bytes>) -> Self {
        Self::new(
            Keys::one(key),
            Relation::NotEqual,
            Target::CreateRevision(0),
        )
    }

    /// That the key was last written by this revision.
    pub fn mod_revision(key: impl Into<Bytes>, revision: i64) -> Self {
        Self::new(
            Keys::one(key),
            Relation::Equal,
            Target::ModRevision(revision),
        )
    }

    /// That the key was made by this revision.
    pub fn create_revision(key: impl Into<Bytes>, revision: i64) -> Self {
        Self::new(
            Keys::one(key),
            Relation::Equal,
            Target::CreateRevision(revision),
        )
    }
}

// === impl Relation ===

impl Relation {
    /// Whether it holds for something that compares like this to the given one.
    #[must_use]
    pub const fn holds(self, stored: Ordering) -> bool {
        match self {
            Self::Equal => stored.is_eq(),
            Self::NotEqual => stored.is_ne(),
            Self::Less => stored.is_lt(),
            Self::Greater => stored.is_gt(),
        }
    }
}

// === impl Op ===

impl From<Range> for Op {
    fn from(range: Range) -> Self {
        Self::Range(range)
    }
}

impl From<Put> for Op {
    fn from(put: Put) -> Self {
        Self::Put(put)
    }
}

impl From<Delete> for Op {
    fn from(delete: Delete) -> Self {
        Self::Delete(delete)
    }
}
