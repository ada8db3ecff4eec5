//! The order of the attempts of one call that run beside one another. No clock, no task, no lock.
//!
//! ```text
//!            due               sent                 failed
//!   Unused -------> Due(when) ------> Running ------------------> Over
//!                      ^                 |
//!                      +-----------------+ no server has seen it
//! ```

use super::settings::MOST_ATTEMPTS;
use std::time::Duration;
use ziggurat_core::{Deadline, Whereabouts, clock::Instant};

/// The attempts of one call, and when the next one begins.
#[derive(Debug)]
pub(super) struct Race {
    lanes: [Lane; MOST_ATTEMPTS],
    opened: usize,
    /// How many lanes may be opened.
    most: usize,
    delay: Duration,
    deadline: Option<Deadline>,
    /// The clock has started.
    started: bool,
    /// When the next lane is opened, if it is.
    next: Option<Instant>,
}

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// The next attempt, as soon as it can be.
    Now,
    /// The next attempt after this.
    After(Duration),
    /// No further attempt.
    Never,
}

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Unused,
    /// To be sent then.
    Due(Instant),
    Running,
    Over,
}

// === impl Race ===

impl Race {
    /// The first attempt is sent.
    pub(super) const fn new(most: u32, delay: Duration, deadline: Option<Deadline>) -> Self {
        let mut lanes = [Lane::Unused; MOST_ATTEMPTS];
        lanes[0] = Lane::Running;
        Self {
            lanes,
            opened: 1,
            most: most as usize,
            delay,
            deadline,
            started: false,
            next: None,
        }
    }

    /// The first attempt is not answered at once.
    pub(super) fn start(&mut self, now: Instant) {
        if !self.started {
            self.started = true;
            self.plan(self.delay, now);
        }
    }

    /// Is it time for the next attempt?
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next.is_some_and(|next| next <= now)
    }

    /// The next attempt is to be sent.
    pub(super) fn open(&mut self, now: Instant) {
        let lane = self.opened;
        self.opened += 1;
        self.lanes[lane] = Lane::Due(now);
        self.plan(self.delay, now);
    }

    /// No attempt follows.
    pub(super) const fn close(&mut self) {
        self.started = true;
        self.most = 0;
        self.next = None;
    }

    /// The lane of an attempt that is to be sent by now.
    pub(super) fn to_send(&self, now: Instant) -> Option<usize> {
        let due = |lane: &Lane| matches!(lane, Lane::Due(at) if *at <= now);
        self.lanes.iter().position(due)
    }

    /// The attempt of this lane is under way.
    pub(super) fn sent(&mut self, lane: usize) {
        self.lanes[lane] = Lane::Running;
    }

    /// No server has seen the attempt of this lane: it is sent again, unless it would be too late.
    pub(super) fn again(&mut self, lane: usize, after: Duration, now: Instant) -> bool {
        let at = self.in_time(after, now);
        if let Some(at) = at {
            self.lanes[lane] = Lane::Due(at);
        }
        at.is_some()
    }

    /// The attempt of this lane has failed in a way that need not concern the others.
    pub(super) fn failed(&mut self, lane: usize, hint: Hint, now: Instant) {
        self.scratch(lane);
        self.started = true;
        match hint {
            Hint::Now => self.plan(Duration::ZERO, now),
            Hint::After(after) => {
                self.plan(after, now);
                if self.next.is_none() {
                    self.close();
                }
            }
            Hint::Never => self.close(),
        }
    }

    /// The attempt of this lane does not count.
    pub(super) fn scratch(&mut self, lane: usize) {
        self.lanes[lane] = Lane::Over;
    }

    pub(super) fn is_running(&self, lane: usize) -> bool {
        self.lanes[lane] == Lane::Running
    }

    /// Is the attempt of this lane still to be sent?
    pub(super) const fn is_waiting(&self, lane: usize) -> bool {
        matches!(self.lanes[lane], Lane::Due(_))
    }

    /// How many attempts there are.
    pub(super) const fn opened(&self) -> usize {
        self.opened
    }

    /// Is nobody under way, and does nobody follow?
    pub(super) fn is_over(&self) -> bool {
        let done = |lane: &Lane| matches!(lane, Lane::Unused | Lane::Over);
        self.next.is_none() && self.lanes.iter().all(done)
    }

    /// When there is something to do, after now.
    pub(super) fn wakes_at(&self, now: Instant) -> Option<Instant> {
        let due = self.lanes.iter().filter_map(|lane| match lane {
            Lane::Due(at) => Some(*at),
            _ => None,
        });
        due.chain(self.next).filter(|at| *at > now).min()
    }

    /// Says where the call was, which may have been ended before its end.
    #[cold]
    pub(super) fn tell(&self) {
        if !self.is_over() {
            Whereabouts::tell(|call| {
                call.attempt = Some(self.opened as u32);
                call.stage = None;
                // Not since when another call waited that was dropped before.
                call.since = None;
            });
        }
    }

    pub(super) const fn delay(&self) -> Duration {
        self.delay
    }

    fn plan(&mut self, after: Duration, now: Instant) {
        let more = self.opened < self.most;
        self.next = more.then(|| self.in_time(after, now)).flatten();
    }

    fn in_time(&self, after: Duration, now: Instant) -> Option<Instant> {
        let at = Deadline::after_from(after, now);
        let late = self.deadline.is_some_and(|deadline| deadline <= at);
        (!late).then_some(at.instant())
    }
}
