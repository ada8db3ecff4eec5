//! What can go wrong between a caller and the store.

use super::LeaseId;
use std::fmt;

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store cannot be reached or has no leader; a change may have been made all the same.
    #[error("store unavailable: {reason}")]
    Unavailable {
        /// What happened, for people.
        reason: String,
    },
    /// The revision asked for has been compacted away.
    #[error("revision {requested} is compacted, the oldest one left is {at}")]
    Compacted {
        /// The revision that was asked for.
        requested: i64,
        /// The oldest revision that can still be read.
        at: i64,
    },
    /// The revision asked for has not happened yet.
    #[error("revision {requested} is yet to come, the store is at {current}")]
    FutureRevision {
        /// The revision that was asked for.
        requested: i64,
        /// The store's present revision.
        current: i64,
    },
    /// There is no such lease: it was never granted, was revoked or ran out.
    #[error("lease {lease:x} not found")]
    LeaseNotFound {
        /// The lease that was asked for.
        lease: LeaseId,
    },
    /// The request makes no sense, whatever the store holds.
    #[error("invalid argument: {field} `{value}` {rule}")]
    InvalidArgument {
        /// The field at fault.
        field: &'static str,
        /// Its value, as text.
        value: String,
        /// What it must be.
        rule: &'static str,
    },
    /// The store knows the caller, or does not, and refuses.
    #[error("permission denied: {reason}")]
    Denied {
        /// What the store said.
        reason: String,
    },
    /// The store answered something that no store may answer.
    #[error("unexpected answer: {reason}")]
    Unexpected {
        /// What it was.
        reason: String,
    },
}

/// Why a watch ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// Changes that were not delivered yet are gone for good: read the keys again.
    #[error("watch fell behind: the oldest revision left is {at}")]
    Compacted {
        /// The oldest revision that can still be read. Watch from the one after it: a store need
        /// not know any more what was deleted in it.
        at: i64,
    },
    /// The store is another one than when the watch was made: read the keys again.
    #[error("the store is another one, or went back in time")]
    Replaced,
    /// The stream is broken: watch again from the revision of the last batch + 1.
    #[error("watch broken")]
    Broken(#[from] StoreError),
}

// === impl StoreError ===

impl StoreError {
    /// The store cannot be reached; `reason` is for people.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Unavailable { reason }
    }

    /// The field named `field` must not be `value`, but be what `rule` says.
    pub fn invalid(field: &'static str, value: impl fmt::Display, rule: &'static str) -> Self {
        Self::InvalidArgument {
            field,
            value: value.to_string(),
            rule,
        }
    }

    /// Whether the same call may succeed later without anything being changed in it.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    pub(in crate::coord) fn unexpected(asked: &str, answer: &impl fmt::Debug) -> Self {
        Self::Unexpected {
            reason: format!("{asked} was answered by {answer:?}"),
        }
    }
}
