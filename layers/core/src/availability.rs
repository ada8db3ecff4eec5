//! Whether an endpoint may be picked: one atomic, written by many, read by every pick.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::sync::Notify;

/// Whether an endpoint may be picked; clones are the same endpoint's.
///
/// Several [`Reporter`]s write their view of it; what counts is the worst of them, so that none can
/// hide what another knows.
#[derive(Clone)]
pub struct Availability(Arc<Shared>);

/// What an endpoint is good for, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum State {
    /// It takes calls.
    Ready = 0,
    /// It is not connected and nobody has asked for it.
    Idle = 1,
    /// It is being connected.
    Connecting = 2,
    /// It finishes what it has and takes nothing new.
    Draining = 3,
    /// It cannot be reached for now.
    Down = 4,
    /// It can be reached, and does not do well.
    Ejected = 5,
}

/// Who has a view of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u8)]
pub enum Reporter {
    /// What holds the connection: idle, connecting, ready, down.
    Connection = 0,
    /// What watches how its calls end: ready, ejected.
    Health = 1,
    /// What knows who is registered: ready, draining.
    Registry = 2,
    /// What asks it how it does: connecting until it has answered, ready, down.
    Check = 3,
    /// What stops calling it while it keeps failing: ready, ejected.
    Circuit = 4,
}

struct Shared {
    /// Four bits for each reporter.
    reports: AtomicU32,
    listeners: Mutex<Vec<Weak<Notify>>>,
}

const BITS: u32 = 4;
const MASK: u32 = (1 << BITS) - 1;
const REPORTERS: u32 = 5;

// === impl Availability ===

impl Default for Availability {
    fn default() -> Self {
        Self::new()
    }
}

impl Availability {
    /// Ready, as far as anybody has said.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            reports: AtomicU32::new(0),
            listeners: Mutex::new(Vec::new()),
        }))
    }

    /// The worst that is reported.
    #[must_use]
    pub fn state(&self) -> State {
        // Acquire pairs with the AcqRel in `report`: who sees Ready sees the connection behind it.
        worst(self.0.reports.load(Ordering::Acquire))
    }

    /// May it be picked?
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state() == State::Ready
    }

    /// What this one reporter says.
    #[must_use]
    pub fn reported(&self, by: Reporter) -> State {
        view(self.0.reports.load(Ordering::Acquire), by as u32)
    }

    /// Says what this reporter sees from now on, and tells the listeners if it saw something else
    /// before, even if the worst is what it was.
    pub fn report(&self, by: Reporter, state: State) {
        let shift = by as u32 * BITS;
        let put = |reports: u32| reports & !(MASK << shift) | (state as u32) << shift;
        let reports = &self.0.reports;
        let update = reports.fetch_update(Ordering::AcqRel, Ordering::Acquire, |r| Some(put(r)));
        let before = update.unwrap_or_else(|reports| reports);
        if before != put(before) {
            self.notify();
        }
    }

    /// Has `listener` told (`notify_waiters`) of every change, for as long as it lives.
    ///
    /// One listener may serve many endpoints.
    pub fn listen(&self, listener: &Arc<Notify>) {
        let mut listeners = self.listeners();
        let listener = Arc::downgrade(listener);
        listeners.retain(|known| known.strong_count() > 0 && !known.ptr_eq(&listener));
        listeners.push(listener);
    }

    fn notify(&self) {
        for listener in self.listeners().iter().filter_map(Weak::upgrade) {
            listener.notify_waiters();
        }
    }

    fn listeners(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Notify>>> {
        self.0
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Availability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Availability").field(&self.state()).finish()
    }
}

fn worst(reports: u32) -> State {
    // The common case, without a walk: nobody says anything but Ready.
    if reports == 0 {
        return State::Ready;
    }
    (0..REPORTERS)
        .map(|by| view(reports, by))
        .max()
        .unwrap_or(State::Ready)
}

fn view(reports: u32, by: u32) -> State {
    match reports >> (by * BITS) & MASK {
        0 => State::Ready,
        1 => State::Idle,
        2 => State::Connecting,
        3 => State::Draining,
        4 => State::Down,
        _ => State::Ejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_report_counts() {
        let availability = Availability::new();
        assert!(availability.is_ready());
        availability.report(Reporter::Connection, State::Connecting);
        availability.report(Reporter::Health, State::Ejected);
        availability.report(Reporter::Connection, State::Ready);
        assert_eq!(availability.state(), State::Ejected);
        assert_eq!(availability.reported(Reporter::Connection), State::Ready);
        availability.report(Reporter::Health, State::Ready);
        assert!(availability.is_ready());
    }

    #[tokio::test(start_paused = true)]
    async fn listeners_hear_of_every_change() {
        let availability = Availability::new();
        let listener = Arc::new(Notify::new());
        availability.listen(&listener);
        let mut heard = std::pin::pin!(listener.notified());
        heard.as_mut().enable();
        availability.report(Reporter::Registry, State::Draining);
        heard.await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_one_reporter_hears_of_it_behind_a_worse_one() {
        let availability = Availability::new();
        availability.report(Reporter::Check, State::Down);
        let listener = Arc::new(Notify::new());
        availability.listen(&listener);
        let heard = listener.notified();
        availability.report(Reporter::Connection, State::Connecting);
        heard.await;
        let mut again = std::pin::pin!(listener.notified());
        again.as_mut().enable();
        availability.report(Reporter::Connection, State::Connecting);
        let second = std::time::Duration::from_secs(1);
        assert!(
            tokio::time::timeout(second, again).await.is_err(),
            "no news"
        );
    }
}
