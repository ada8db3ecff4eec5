//! Keys with values: what is stored, how it is read, written and deleted.

use super::{Keys, LeaseId};
use bytes::Bytes;

/// A key, its value, and where it stands in the history of the store.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct KeyValue {
    /// The key; never empty.
    pub key: Bytes,
    /// The value; empty in answers to a range of keys only.
    pub value: Bytes,
    /// The revision that made the key, the latest time that it was absent before.
    pub create_revision: i64,
    /// The revision that last wrote it; of a deleted key, the one that deleted it.
    pub mod_revision: i64,
    /// How many times it was written since it was made; 0 once it is deleted.
    pub version: i64,
    /// The lease that it is attached to, or [`LeaseId::NONE`].
    pub lease: LeaseId,
}

/// A question for keys.
///
/// # Defaults
///
/// All of them, with values, sorted by key, as they are now, linearizable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Range {
    /// Which keys.
    pub keys: Keys,
    /// The revision to read at; 0 for the present one.
    pub revision: i64,
    /// How many at most; 0 for all.
    pub limit: usize,
    /// Whether values are left out.
    pub keys_only: bool,
    /// The order of the answer; the limit counts after it.
    pub sort: Option<(SortBy, SortOrder)>,
    /// Leaves out keys made after this revision; 0 for none.
    pub max_create_revision: i64,
    /// Whether an answer from a member that lags behind is good enough.
    pub serializable: bool,
}

/// What an answer is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SortBy {
    /// The key itself.
    Key,
    /// The version.
    Version,
    /// The revision that made the key.
    CreateRevision,
    /// The revision that last wrote it.
    ModRevision,
    /// The value.
    Value,
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SortOrder {
    /// The least first.
    Ascending,
    /// The greatest first.
    Descending,
}

/// The keys found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeResponse {
    /// The store's revision when it answered, whatever revision was read.
    pub revision: i64,
    /// The keys, in the order asked for.
    pub kvs: Vec<KeyValue>,
    /// Whether the limit left some out.
    pub more: bool,
    /// How many keys there are in the range, whatever the limit and the filters leave out.
    pub count: usize,
}

/// A key to write.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Put {
    /// The key.
    pub key: Bytes,
    /// Its new value.
    pub value: Bytes,
    /// The lease that it shall be attached to instead of the one that it has now, if any.
    pub lease: LeaseId,
    /// Whether the answer holds what was there before.
    pub prev_kv: bool,
}

/// A key was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutResponse {
    /// The revision that wrote it.
    pub revision: i64,
    /// What was there before, if asked for.
    pub prev: Option<KeyValue>,
}

/// Keys to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delete {
    /// Which keys.
    pub keys: Keys,
    /// Whether the answer holds what was there before.
    pub prev_kv: bool,
}

/// Keys were deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteResponse {
    /// The revision that deleted them, or the present one if there were none.
    pub revision: i64,
    /// How many there were.
    pub deleted: usize,
    /// What was there before, if asked for.
    pub prev: Vec<KeyValue>,
}

// === impl Range ===

impl Range {
    /// Asks for `keys` as they are now.
    #[must_use]
    pub const fn new(keys: Keys) -> Self {
        Self {
            keys,
            revision: 0,
            limit: 0,
            keys_only: false,
            sort: None,
            max_create_revision: 0,
            serializable: false,
        }
    }

    /// Asks for one key.
    pub fn one(key: impl Into<Bytes>) -> Self {
        Self::new(Keys::one(key))
    }

    /// Asks for all keys that begin with `prefix`.
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        Self::new(Keys::prefix(prefix))
    }

    /// Reads at this revision; 0 for the present one.
    #[must_use]
    pub const fn at(mut self, revision: i64) -> Self {
        self.revision = revision;
        self
    }

    /// Answers with this many keys at most; 0 for all.
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Leaves the values out.
    #[must_use]
    pub const fn keys_only(mut self) -> Self {
        self.keys_only = true;
        self
    }

    /// Sorts the answer.
    #[must_use]
    pub const fn sort(mut self, by: SortBy, order: SortOrder) -> Self {
        self.sort = Some((by, order));
        self
    }

    /// Leaves out keys made after this revision; 0 for none.
    #[must_use]
    pub const fn max_create_revision(mut self, revision: i64) -> Self {
        self.max_create_revision = revision;
        self
    }

    /// Takes an answer that may be old, from any one member, even with no leader.
    #[must_use]
    pub const fn serializable(mut self) -> Self {
        self.serializable = true;
        self
    }
}

// === impl Put ===

impl Put {
    /// Writes `value` under `key`, with no lease.
    pub fn new(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
            lease: LeaseId::NONE,
            prev_kv: false,
        }
    }

    /// Attaches the key to this lease.
    #[must_use]
    pub const fn lease(mut self, lease: LeaseId) -> Self {
        self.lease = lease;
        self
    }

    /// Answers with what was there before.
    #[must_use]
    pub const fn prev_kv(mut self) -> Self {
        self.prev_kv = true;
        self
    }
}

// === impl Delete ===

impl Delete {
    /// Deletes `keys`.
    #[must_use]
    pub const fn new(keys: Keys) -> Self {
        Self {
            keys,
            prev_kv: false,
        }
    }

    /// Deletes one key.
    pub fn one(key: impl Into<Bytes>) -> Self {
        Self::new(Keys::one(key))
    }

    /// Answers with what was there before.
    #[must_use]
    pub const fn prev_kv(mut self) -> Self {
        self.prev_kv = true;
        self
    }
}
