//! What can go wrong with a setting.

use crate::coord::store::StoreError;
use std::fmt;

/// Why a setting could not be had, or not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The store refused, or was out of reach.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such setting, and no default for it.
    #[error("config `{key}` is absent")]
    Absent {
        /// Its key.
        key: String,
    },
    /// Somebody else changed it.
    #[error("config `{key}` is not at revision {expected} any more but at {current}")]
    Conflict {
        /// Its key.
        key: String,
        /// The revision that was expected; 0 for absent.
        expected: i64,
        /// The one that it has; 0 if it is absent.
        current: i64,
    },
    /// The value is not of its type, or breaks a rule of it.
    #[error("config `{key}` is invalid at revision {revision}: {reason} in `{value}`")]
    Invalid {
        /// Its key.
        key: String,
        /// The revision that wrote it; 0 if it was not written yet.
        revision: i64,
        /// What is wrong and, of a structure, where.
        reason: String,
        /// The beginning of the value, escaped; empty if it could not be written.
        value: String,
    },
}

/// How much of a value an error repeats, in bytes: it may be long, and it may be a secret.
const MAX_VALUE: usize = 64;

// === impl ConfigError ===

impl ConfigError {
    pub(super) fn invalid(
        key: String,
        revision: i64,
        value: &[u8],
        reason: &(impl fmt::Display + ?Sized),
    ) -> Self {
        let shown = &value[..value.len().min(MAX_VALUE)];
        let dots = if shown.len() < value.len() { ".." } else { "" };
        Self::Invalid {
            key,
            revision,
            reason: reason.to_string(),
            value: format!("{}{dots}", String::from_utf8_lossy(shown).escape_debug()),
        }
    }
}
