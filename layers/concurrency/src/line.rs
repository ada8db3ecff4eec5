//! Who waits for a permit: one queue a level, oldest first, and how long each may wait.
//!
//! A plain state machine. How long: the `interval`, unless the queue of the level has been standing
//! for an interval; then only the `target` (controlled delay, as in "Fail at Scale", ACM Queue 13/8,
//! 2015). A short burst may wait, and a queue that never gets empty does not keep everybody waiting.

use crate::{gate::Ask, settings::Queue};
use std::{collections::VecDeque, time::Duration};
use ziggurat_core::clock::Instant;

/// How many levels of criticality there are.
pub(crate) const LEVELS: usize = 4;

/// The queues; the first is the most critical.
#[derive(Debug)]
pub(crate) struct Line<T> {
    levels: [Level<T>; LEVELS],
    next_id: u64,
}

#[derive(Debug)]
struct Level<T> {
    waiters: VecDeque<Waiter<T>>,
    /// Since when the queue has not been emptied by permits alone.
    standing: Option<Instant>,
    /// When its last waiter gave up. What is empty so soon after that still stands: short waits empty
    /// a queue by themselves, and long ones would be back at once.
    given_up: Option<Instant>,
}

#[derive(Debug)]
struct Waiter<T> {
    id: u64,
    until: Instant,
    ticket: T,
}

// === impl Line ===

impl<T> Line<T> {
    pub(crate) fn new() -> Self {
        Self {
            levels: std::array::from_fn(|_| Level::new()),
            next_id: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.levels.iter().map(|level| level.waiters.len()).sum()
    }

    /// Does anybody of this level or a more critical one wait?
    pub(crate) fn is_before(&self, level: usize) -> bool {
        self.levels[..=level].iter().any(Level::is_waiting)
    }

    /// The most critical level at which somebody waits.
    pub(crate) fn first(&self) -> Option<usize> {
        self.levels.iter().position(Level::is_waiting)
    }

    /// Puts a ticket at the end of its level, until a time that is no later than its deadline.
    pub(crate) fn push(&mut self, ask: Ask, queue: Queue, ticket: T) -> (u64, Instant) {
        let Ask {
            level,
            now,
            deadline,
        } = ask;
        let id = self.next_id;
        self.next_id += 1;
        let level = &mut self.levels[level];
        let until = now + level.patience(queue, now);
        let until = deadline.map_or(until, |deadline| deadline.min(until));
        level.waiters.push_back(Waiter { id, until, ticket });
        (id, until)
    }

    /// Takes the oldest of a level out, to be given a permit.
    pub(crate) fn pop(&mut self, level: usize) -> Option<T> {
        let waiter = self.levels[level].waiters.pop_front()?;
        Some(waiter.ticket)
    }

    /// Takes the oldest of a level out if its time is up.
    pub(crate) fn pop_expired(&mut self, level: usize, now: Instant) -> Option<T> {
        let level = &mut self.levels[level];
        if level.waiters.front()?.until > now {
            return None;
        }
        level.given_up = Some(now);
        Some(level.waiters.pop_front()?.ticket)
    }

    /// Takes out the newest of the least critical level below this one.
    pub(crate) fn displace(&mut self, level: usize) -> Option<T> {
        let mut below = self.levels[level + 1..].iter_mut().rev();
        let waiter = below.find_map(|level| level.waiters.pop_back())?;
        Some(waiter.ticket)
    }

    /// Takes this one out, wherever it stands. `None`: it is not there any more.
    pub(crate) fn remove(&mut self, level: usize, id: u64, now: Option<Instant>) -> Option<T> {
        let level = &mut self.levels[level];
        let at = level.waiters.binary_search_by_key(&id, |waiter| waiter.id);
        let waiter = level.waiters.remove(at.ok()?)?;
        if now.is_some() {
            level.given_up = now;
        }
        Some(waiter.ticket)
    }
}

// === impl Level ===

impl<T> Level<T> {
    const fn new() -> Self {
        Self {
            waiters: VecDeque::new(),
            standing: None,
            given_up: None,
        }
    }

    fn is_waiting(&self) -> bool {
        !self.waiters.is_empty()
    }

    fn patience(&mut self, queue: Queue, now: Instant) -> Duration {
        let recent = |at: Instant| now.saturating_duration_since(at) < queue.interval;
        if self.waiters.is_empty() && !self.given_up.is_some_and(recent) {
            self.standing = None;
        }
        let since = *self.standing.get_or_insert(now);
        match now.saturating_duration_since(since) >= queue.interval {
            true => queue.target,
            false => queue.interval,
        }
    }
}
