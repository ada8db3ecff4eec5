//! Watching keys change.

use super::{KeyValue, Keys};

/// What to watch, and from when.
///
/// # Defaults
///
/// What comes after now, without the values before, and no word while nothing changes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Watch {
    /// Which keys.
    pub keys: Keys,
    /// The first revision to deliver; 0 for the one after the present one.
    pub from: i64,
    /// Whether events hold what was there before.
    pub prev_kv: bool,
    /// Whether batches without events are wanted.
    pub progress: bool,
}

/// Changes, and how far they go.
///
/// Without events it says that there were none for the watched keys up to its revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchBatch {
    /// Everything up to and including this revision has been delivered: watch again from here + 1.
    pub revision: i64,
    /// The changes, sorted by revision; those of one revision in the order they were made.
    pub events: Vec<Event>,
}

/// One key changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How.
    pub kind: EventKind,
    /// What it is now; of a deleted key only the key and the revision that deleted it.
    pub kv: KeyValue,
    /// What was there before: if asked for, if there was something, and if it is not compacted.
    pub prev: Option<KeyValue>,
}

/// How a key changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has these two")]
pub enum EventKind {
    /// It was written.
    Put,
    /// It was deleted, or its lease ended.
    Delete,
}

// === impl Watch ===

impl Watch {
    /// Watches `keys` from now on.
    #[must_use]
    pub const fn new(keys: Keys) -> Self {
        Self {
            keys,
            from: 0,
            prev_kv: false,
            progress: false,
        }
    }

    /// Delivers this revision and all after it; 0 for those after the present one.
    #[must_use]
    pub const fn from(mut self, revision: i64) -> Self {
        self.from = revision;
        self
    }

    /// Puts into events what was there before.
    #[must_use]
    pub const fn prev_kv(mut self) -> Self {
        self.prev_kv = true;
        self
    }

    /// Delivers a batch without events now and then, so that a resumed watch starts further on.
    #[must_use]
    pub const fn progress(mut self) -> Self {
        self.progress = true;
        self
    }
}
