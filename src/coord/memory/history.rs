//! What happened: the events of each revision, as far back as they are kept.

use crate::coord::store::Event;
use std::{collections::VecDeque, num::NonZeroUsize};

/// The latest revisions, oldest first, without a gap.
#[derive(Debug)]
pub(super) struct History {
    /// The revision of the first entry, or of the next one if there is none.
    first: i64,
    /// Before this, revisions can be neither read nor watched.
    compacted: i64,
    revisions: VecDeque<Vec<Event>>,
    events: usize,
    limit: NonZeroUsize,
}

/// Where etcd starts: an empty store has had one revision.
pub(super) const FIRST_REVISION: i64 = 1;

// === impl History ===

impl History {
    pub(super) const fn new(limit: NonZeroUsize) -> Self {
        Self {
            first: FIRST_REVISION + 1,
            compacted: 0,
            revisions: VecDeque::new(),
            events: 0,
            limit,
        }
    }

    /// Adds the events of the next revision, and forgets the oldest ones above the limit.
    pub(super) fn push(&mut self, events: Vec<Event>) {
        self.events += events.len();
        self.revisions.push_back(events);
        while self.events > self.limit.get() && self.revisions.len() > 1 {
            self.forget_first();
            self.compacted = self.first;
        }
    }

    /// Forgets what happened before `revision`.
    pub(super) fn compact(&mut self, revision: i64) {
        while self.first < revision && !self.revisions.is_empty() {
            self.forget_first();
        }
        self.compacted = revision;
    }

    /// The oldest revision that can be read or watched from.
    pub(super) const fn compacted(&self) -> i64 {
        self.compacted
    }

    /// The events of `from` and of each revision after it, oldest first, with their revision.
    pub(super) fn since(&self, from: i64) -> impl Iterator<Item = (i64, &[Event])> {
        let skipped = usize::try_from(from.saturating_sub(self.first)).unwrap_or(0);
        (self.first..)
            .zip(self.revisions.iter().map(Vec::as_slice))
            .skip(skipped)
    }

    /// All events after `revision`, newest first.
    pub(super) fn back_to(&self, revision: i64) -> impl Iterator<Item = &Event> {
        let next = revision.saturating_add(1);
        let skipped = usize::try_from(next.saturating_sub(self.first)).unwrap_or(0);
        self.revisions
            .iter()
            .skip(skipped)
            .rev()
            .flat_map(|events| events.iter().rev())
    }

    fn forget_first(&mut self) {
        if let Some(events) = self.revisions.pop_front() {
            self.events -= events.len();
            self.first += 1;
        }
    }
}
