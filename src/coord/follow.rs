//! Following keys: read them, then watch from there; again and again.
//!
//! ```text
//!          +--------- compacted ---------+
//!          v                             |
//!   list (until it is answered) -> watch from revision + 1 -> tell, watch on
//!                                        ^                         |
//!                                        +-- broken: last + 1 -----+   (once the store answers)
//! ```
//!
//! It has no task: whoever follows asks for what is next, and is as slow as it likes.

use super::{
    ask::{limited, retry},
    page,
    store::{
        Keys, Range, RangeResponse, Store, StoreError, Watch, WatchBatch, WatchError, WatchStream,
    },
};
use futures_util::StreamExt;
use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};
use tokio::{runtime::Handle, time};
use ziggurat_core::{
    Dice,
    clock::{self, Instant},
};

/// Hears of every change to some keys, whatever happens to the store in between.
pub(super) struct Follow {
    store: Arc<dyn Store>,
    keys: Keys,
    dice: Dice,
    state: State,
    /// The first revision that was not told of yet.
    next: i64,
    /// The generation of the store that was read.
    generation: u64,
    failures: u32,
    /// When the store may be asked again.
    pause: Option<Instant>,
}

/// What is heard of the keys.
#[derive(Debug)]
pub(super) enum News {
    /// Everything that there is, read anew.
    All(RangeResponse),
    /// What changed since.
    Changes(WatchBatch),
    /// Nothing is heard; it goes on trying.
    Trouble(StoreError),
    /// The store answers again, and nothing was missed.
    Back,
}

enum State {
    List,
    Watch,
    Watching(WatchStream, Instant),
    Ask,
}

/// A watch that held this long was a good one: what comes next is a new trouble.
const SETTLED: Duration = Duration::from_secs(10);

/// So many failures lead to the longest of delays.
const SPREAD: u32 = 5;

// === impl Follow ===

impl Follow {
    /// Follows `keys`; the store hears of it when [`next`](Self::next) is asked for.
    pub(super) const fn new(store: Arc<dyn Store>, keys: Keys, dice: Dice) -> Self {
        Self {
            store,
            keys,
            dice,
            state: State::List,
            next: 0,
            generation: 0,
            failures: 0,
            pause: None,
        }
    }

    /// What is heard next; dropped unfinished, nothing is lost.
    pub(super) async fn next(&mut self) -> News {
        loop {
            self.pause().await;
            let news = match &mut self.state {
                State::List => Some(self.list().await),
                State::Watch => self.watch(),
                State::Watching(batches, since) => {
                    let (batch, since) = (batches.next().await, *since);
                    self.hear(batch, since)
                }
                State::Ask => self.ask().await,
            };
            if let Some(news) = news {
                return news;
            }
        }
    }

    /// Reads everything anew.
    async fn list(&mut self) -> News {
        self.generation = self.store.generation();
        let range = Range::new(self.keys.clone());
        match page::all(&*self.store, range).await {
            Ok(found) => {
                self.failures = 0;
                self.next = found.revision + 1;
                self.state = State::Watch;
                News::All(found)
            }
            Err(error) => self.trouble(error),
        }
    }

    fn watch(&mut self) -> Option<News> {
        let watch = Watch::new(self.keys.clone()).from(self.next).progress();
        let batches = self.store.watch(watch);
        // Asked after the watch was made, which belongs to no generation later than this.
        if self.store.generation() == self.generation {
            self.state = State::Watching(batches, clock::now());
        } else {
            self.start_over();
        }
        None
    }

    fn hear(
        &mut self,
        batch: Option<Result<WatchBatch, WatchError>>,
        since: Instant,
    ) -> Option<News> {
        let error = match batch {
            Some(Ok(batch)) => {
                self.failures = 0;
                self.next = batch.revision + 1;
                return Some(News::Changes(batch));
            }
            Some(Err(WatchError::Broken(error))) => error,
            Some(Err(WatchError::Replaced)) => {
                self.start_over();
                return None;
            }
            Some(Err(gone)) => {
                tracing::info!(keys = ?self.keys, next = self.next, %gone, "keys are read anew");
                self.state = State::List;
                return None;
            }
            None => StoreError::unavailable("the watch ended"),
        };
        if clock::now() - since > SETTLED {
            self.failures = 0;
        }
        self.state = State::Ask;
        Some(self.trouble(error))
    }

    /// Asks for a sign of life: a new watch says nothing until something changes.
    async fn ask(&mut self) -> Option<News> {
        let range = Range::new(self.keys.clone()).limit(1).keys_only();
        let revision = match limited(self.store.range(range)).await {
            Ok(found) => found.revision,
            Err(error) => return Some(self.trouble(error)),
        };
        if revision + 1 < self.next || self.store.generation() != self.generation {
            self.start_over();
            return None;
        }
        self.state = State::Watch;
        Some(News::Back)
    }

    /// It is another store, or went back: what it has is read anew, after a while, since everybody
    /// else does so as well, and members of two clusters may be taking turns.
    fn start_over(&mut self) {
        let (keys, next) = (&self.keys, self.next);
        tracing::warn!(?keys, next, "the store is another one, keys are read anew");
        self.state = State::List;
        self.pause = Some(clock::now() + retry().delay(SPREAD, &self.dice));
    }

    /// After a while the store is asked again.
    fn trouble(&mut self, error: StoreError) -> News {
        if self.failures == 0 {
            tracing::warn!(keys = ?self.keys, %error, "store out of reach, holding on");
        }
        self.failures = self.failures.saturating_add(1);
        self.pause = Some(clock::now() + retry().delay(self.failures, &self.dice));
        News::Trouble(error)
    }

    async fn pause(&mut self) {
        let Some(until) = self.pause else { return };
        // A timer panics without a runtime; whoever polls in one later goes on from here.
        poll_fn(|_| match Handle::try_current() {
            Ok(_) => Poll::Ready(()),
            Err(_) => Poll::Pending,
        })
        .await;
        time::sleep_until(until).await;
        self.pause = None;
    }
}
