//! Holding on to a lease and an entry, until the lease is lost or may be.

use super::{Keeper, is_lease_lost};
use crate::coord::{
    registry::{RegistrationState, limited, retry},
    store::{
        EventKind, Keys, LeaseId, Range, StoreError, Watch, WatchBatch, WatchError, WatchStream,
    },
};
use futures_util::{StreamExt, future};
use std::time::Duration;
use tokio::time;
use ziggurat_core::{
    Deadline,
    clock::{self, Instant},
};

/// A lease, and the entry that was written with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) lease: LeaseId,
    pub(super) ttl: Duration,
    /// When it was asked for: it may be over this long after that, by our own clock.
    pub(super) asked: Instant,
    /// The revision that wrote the entry.
    pub(super) revision: i64,
}

/// One lease's life.
pub(super) struct Holding<'a> {
    keeper: &'a Keeper,
    lease: LeaseId,
    /// When it may be over, for all we know.
    over: Instant,
    renew: Instant,
    /// When the entry is to be written again, if it is.
    write: Option<Instant>,
    /// When the entry is to be looked at again, while it is not being watched.
    look: Instant,
    entry: Option<WatchStream>,
    failures: u32,
}

/// What there is to do next.
enum Next {
    Renew,
    Write,
    Look,
    Wanted,
    Seen(Option<Result<WatchBatch, WatchError>>),
}

/// The lease is gone, or may be.
struct Lost;

// === impl Holding ===

impl<'a> Holding<'a> {
    pub(super) fn new(keeper: &'a Keeper, held: Held) -> Self {
        let mut holding = Self {
            keeper,
            lease: held.lease,
            over: after(held.asked, held.ttl),
            renew: after(held.asked, held.ttl / 3),
            write: None,
            look: held.asked,
            entry: None,
            failures: 0,
        };
        holding.watch(held.revision + 1);
        holding
    }

    /// Ends when the lease is lost.
    pub(super) async fn run(mut self) {
        let mut wanted = self.keeper.lot.wanted.subscribe();
        // The value that was written may be older than the one that is wanted by now.
        wanted.mark_changed();
        loop {
            let write = self.write;
            let look = self.entry.is_none().then_some(self.look);
            let seen = async {
                match &mut self.entry {
                    Some(entry) => entry.next().await,
                    None => future::pending().await,
                }
            };
            let next = tokio::select! {
                biased;
                () = at(Some(self.renew)) => Next::Renew,
                () = at(write) => Next::Write,
                () = at(look) => Next::Look,
                Ok(()) = wanted.changed() => Next::Wanted,
                seen = seen => Next::Seen(seen),
            };
            let done = match next {
                Next::Renew => self.renew().await,
                Next::Write => self.rewrite().await,
                Next::Look => self.look().await,
                Next::Wanted => {
                    self.wanted();
                    Ok(())
                }
                Next::Seen(seen) => {
                    self.seen(seen);
                    Ok(())
                }
            };
            if done.is_err() || clock::now() >= self.over {
                return;
            }
        }
    }

    async fn renew(&mut self) -> Result<(), Lost> {
        let asked = clock::now();
        match before(self.over, self.keeper.lot.store().keep_alive(self.lease)).await? {
            Ok(ttl) => {
                self.over = after(asked, ttl);
                self.renew = after(asked, ttl / 3);
                self.failures = 0;
            }
            Err(error) => {
                tracing::debug!(%error, "lease not renewed");
                self.renew = self.later();
            }
        }
        Ok(())
    }

    async fn rewrite(&mut self) -> Result<(), Lost> {
        self.write = match before(self.over, self.keeper.write(self.lease)).await? {
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(%error, "registration not written");
                Some(self.later())
            }
        };
        Ok(())
    }

    /// Looks whether the entry is still there, and watches it from there on.
    async fn look(&mut self) -> Result<(), Lost> {
        let range = Range::one(self.keeper.lot.key.clone()).keys_only();
        match before(self.over, self.keeper.lot.store().range(range)).await? {
            Ok(found) => {
                self.watch(found.revision + 1);
                if found.kvs.is_empty() {
                    self.gone();
                }
            }
            Err(_) => self.look = self.later(),
        }
        Ok(())
    }

    fn watch(&mut self, from: i64) {
        let keys = Keys::one(self.keeper.lot.key.clone());
        let entry = self.keeper.lot.store().watch(Watch::new(keys).from(from));
        self.entry = Some(entry);
    }

    fn wanted(&mut self) {
        let written = self.keeper.status.borrow().written;
        if self.keeper.lot.wanted.borrow().version > written {
            self.write = Some(clock::now());
        }
    }

    fn seen(&mut self, seen: Option<Result<WatchBatch, WatchError>>) {
        let Some(Ok(batch)) = seen else {
            self.entry = None;
            self.look = self.later();
            return;
        };
        let Some(last) = batch.events.last() else {
            return;
        };
        let key = &*self.keeper.lot.key;
        match last.kind {
            EventKind::Delete => self.gone(),
            EventKind::Put if last.kv.lease != self.lease => {
                // Whoever came last has it; two that take turns would be worse.
                tracing::warn!(key, "registered by somebody else as well");
            }
            EventKind::Put => {}
        }
    }

    /// Somebody deleted the entry: it comes back a little later.
    fn gone(&mut self) {
        self.keeper.tell(RegistrationState::Registering);
        self.write = Some(clock::now() + retry().delay(1, &self.keeper.dice));
    }

    /// When to try again what has failed, but not after the lease may be over.
    fn later(&mut self) -> Instant {
        self.failures = self.failures.saturating_add(1);
        let delay = retry().delay(self.failures, &self.keeper.dice);
        (clock::now() + delay).min(self.over)
    }
}

/// Asks the store, but no longer than the lease lasts for sure.
async fn before<T>(
    over: Instant,
    question: impl Future<Output = Result<T, StoreError>>,
) -> Result<Result<T, StoreError>, Lost> {
    match time::timeout_at(over, limited(question)).await {
        Ok(Err(error)) if is_lease_lost(&error) => Err(Lost),
        Ok(answer) => Ok(answer),
        Err(_) => Err(Lost),
    }
}

/// A time from then on, whatever a store makes of it.
fn after(asked: Instant, time: Duration) -> Instant {
    Deadline::after_from(time, asked).instant()
}

/// At this time, or never.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => time::sleep_until(time).await,
        None => future::pending().await,
    }
}
