//! Telling an observer what happened, in order, and never under the circuit's lock.

use crate::{Event, Events, Observer, State, events::WAITING};
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};
use tokio::sync::broadcast;
use ziggurat_core::contain;

/// What is still to be told, and to whom.
pub(crate) struct News {
    observer: Option<Arc<dyn Observer>>,
    /// Made when somebody listens for the first time.
    events: OnceLock<broadcast::Sender<Event>>,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    changes: VecDeque<(State, State)>,
    /// Somebody is telling, and will tell the rest, too.
    telling: bool,
}

// === impl News ===

impl News {
    pub(crate) fn new(observer: Option<Arc<dyn Observer>>) -> Self {
        Self {
            observer,
            events: OnceLock::new(),
            queue: Mutex::default(),
        }
    }

    pub(crate) fn observer(&self) -> Option<Arc<dyn Observer>> {
        self.observer.clone()
    }

    pub(crate) fn events(&self) -> Events {
        let events = self.events.get_or_init(|| broadcast::Sender::new(WAITING));
        Events::new(events.subscribe())
    }

    /// Notes a change; whoever does holds the circuit's lock, so that the order is the true one.
    pub(crate) fn add(&self, from: State, to: State) {
        if let Some(events) = self.events.get() {
            // It neither blocks nor calls anybody. Nobody may be listening any more.
            let _ = events.send(Event::Changed { from, to });
        }
        if self.observer.is_some() {
            self.queue().changes.push_back((from, to));
        }
    }

    /// Tells what was noted, unless somebody is at it: an observer may well turn the circuit itself.
    pub(crate) fn tell(&self) {
        let Some(observer) = &self.observer else {
            return;
        };
        if std::mem::replace(&mut self.queue().telling, true) {
            return;
        }
        while let Some((from, to)) = self.next() {
            contain(|| observer.changed(from, to));
        }
    }

    pub(crate) fn rejected(&self) {
        if let Some(observer) = &self.observer {
            contain(|| observer.rejected());
        }
    }

    pub(crate) fn cancelled(&self) {
        if let Some(observer) = &self.observer {
            contain(|| observer.cancelled());
        }
    }

    /// The end is found and announced in one go, or a change that is noted between would be lost.
    fn next(&self) -> Option<(State, State)> {
        let mut queue = self.queue();
        let next = queue.changes.pop_front();
        queue.telling = next.is_some();
        next
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("News").finish_non_exhaustive()
    }
}
