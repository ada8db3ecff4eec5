//! A watch: a place in the history that moves forward.
//!
//! A watcher has no queue. It reads the shared history from its own place on, so that it can be
//! slow, but never miss or repeat anything; and when what it needs is forgotten, it is told.

use super::Shared;
use crate::coord::store::{Event, StoreError, Watch, WatchBatch, WatchError};
use std::{sync::Weak, time::Duration};
use tokio::{runtime::Handle, sync::watch, time};
use ziggurat_core::clock::{self, Instant};

/// Reads the history of a store that it does not keep alive.
#[derive(Debug)]
pub(super) struct Watcher {
    shared: Weak<Shared>,
    changed: watch::Receiver<()>,
    watch: Watch,
    /// The next revision to look at.
    next: i64,
    /// How often the store had broken its watches when this one began.
    breaks: u64,
    /// When a batch without events is due.
    progress: Instant,
    ended: bool,
}

/// What there is to do.
enum Step {
    Deliver(WatchBatch),
    Fail(WatchError),
    Wait { until: Option<Instant> },
}

/// The most revisions in one batch, as in etcd, so that no one holds the store for long.
const MAX_REVISIONS: usize = 1_000;
/// How often etcd says that nothing has changed.
const PROGRESS: Duration = Duration::from_secs(600);

// === impl Watcher ===

impl Watcher {
    pub(super) fn new(
        watch: Watch,
        shared: Weak<Shared>,
        changed: watch::Receiver<()>,
        revision: i64,
        breaks: u64,
    ) -> Self {
        let next = if watch.from > 0 {
            watch.from
        } else {
            revision + 1
        };
        Self {
            shared,
            changed,
            watch,
            next,
            breaks,
            progress: clock::now() + PROGRESS,
            ended: false,
        }
    }

    /// The next batch, once there is one.
    pub(super) async fn next(&mut self) -> Option<Result<WatchBatch, WatchError>> {
        if self.ended {
            return None;
        }
        loop {
            // Seen before it is looked at, so that what comes in between wakes us again.
            self.changed.borrow_and_update();
            match self.step() {
                Step::Deliver(batch) => return Some(Ok(batch)),
                Step::Fail(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                Step::Wait { until } => self.wait(until).await,
            }
        }
    }

    fn step(&mut self) -> Step {
        let Some(shared) = self.shared.upgrade() else {
            return Step::Fail(StoreError::unavailable("the store is gone").into());
        };
        if self.watch.keys.is_empty() {
            let keys = format!("{:?}", self.watch.keys);
            return Step::Fail(StoreError::invalid("keys", keys, "must not be empty").into());
        }
        let now = clock::now();
        shared.with(now, |inner| {
            if inner.breaks != self.breaks {
                return Step::Fail(StoreError::unavailable("the watch was broken").into());
            }
            if !inner.available {
                return Step::Wait { until: None };
            }
            let at = inner.state.history().compacted();
            if self.next < at {
                return Step::Fail(WatchError::Compacted { at });
            }
            let events = self.gather(inner.state.history().since(self.next));
            let revision = self.next - 1;
            let progress = self.progress_is_due(now) && revision <= inner.state.revision();
            if !events.is_empty() || progress {
                self.progress = now + PROGRESS;
                return Step::Deliver(WatchBatch { revision, events });
            }
            let progress = self.watch.progress.then_some(self.progress);
            let until = [inner.state.leases.next_end(), progress];
            Step::Wait {
                until: until.into_iter().flatten().min(),
            }
        })
    }

    /// Whether it is time to say that nothing has changed; once, until the next time.
    fn progress_is_due(&mut self, now: Instant) -> bool {
        let due = self.watch.progress && self.progress <= now;
        if due {
            self.progress = now + PROGRESS;
        }
        due
    }

    /// Moves on over the revisions at hand, taking along what is watched.
    fn gather<'a>(&mut self, revisions: impl Iterator<Item = (i64, &'a [Event])>) -> Vec<Event> {
        let mut taken = Vec::new();
        let mut full = 0;
        for (revision, events) in revisions {
            let before = taken.len();
            let watched = events
                .iter()
                .filter(|event| self.watch.keys.contains(&event.kv.key));
            taken.extend(watched.map(|event| Event {
                kind: event.kind,
                kv: event.kv.clone(),
                prev: event.prev.clone().filter(|_| self.watch.prev_kv),
            }));
            self.next = revision + 1;
            full += usize::from(taken.len() > before);
            if full == MAX_REVISIONS {
                break;
            }
        }
        taken
    }

    async fn wait(&mut self, until: Option<Instant>) {
        let changed = async {
            // Gone for good: the next step finds out.
            let _gone = self.changed.changed().await;
        };
        match until {
            // Where there is no runtime there is no timer; leases then end when somebody looks.
            Some(until) if Handle::try_current().is_ok() => {
                let _elapsed = time::timeout_at(until, changed).await;
            }
            _ => changed.await,
        }
    }
}
