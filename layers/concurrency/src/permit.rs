//! What a call holds until its answer has ended.

use crate::{meter::Lesson, shared::Shared};
use std::{fmt, sync::Arc};
use ziggurat_core::{Outcome, Record, clock, clock::Instant};

/// One of the calls that may be under way, until it is settled; the record of every response that a
/// [`Concurrency`](crate::Concurrency) answers with.
pub struct Permit(Option<Held>);

struct Held {
    shared: Arc<Shared>,
    /// How many were under way, with this one.
    in_flight: u32,
    /// Of so many calls it is the one that is timed: as things were when it was sent.
    stands_for: u32,
    timing: Timing,
}

/// What is known of how long an answer takes.
enum Timing {
    Unknown,
    /// The call was sent then.
    Since(Instant),
    Answered,
}

// === impl Permit ===

impl Permit {
    pub(crate) const fn new(
        shared: Arc<Shared>,
        in_flight: u32,
        stands_for: u32,
        started: Option<Instant>,
    ) -> Self {
        Self(Some(Held {
            shared,
            in_flight,
            stands_for,
            timing: match started {
                Some(started) => Timing::Since(started),
                None => Timing::Unknown,
            },
        }))
    }

    /// Of a call that needs none.
    pub(crate) const fn exempt() -> Self {
        Self(None)
    }
}

impl Record for Permit {
    /// A stream has begun: how long it goes on says nothing about the server.
    fn responded(&mut self) {
        if let Some(held) = &mut self.0 {
            held.answered();
        }
    }

    #[inline]
    fn settle(self, outcome: Outcome) {
        let Some(mut held) = self.0 else {
            return;
        };
        match outcome {
            Outcome::Success => held.answered(),
            Outcome::Overload if held.shared.heeds_refusals() => held.refused(),
            Outcome::Timeout => held.timed_out(),
            // How long it took to fail, to lose patience, or to refuse one caller, says nothing.
            _ => {}
        }
        held.shared.leave();
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

// === impl Held ===

impl Held {
    #[inline]
    fn answered(&mut self) {
        if let Timing::Since(started) = self.timing {
            let now = clock::now();
            let took = now.saturating_duration_since(started);
            let lesson = Lesson::Took(took, self.stands_for);
            self.shared.learn(now, lesson, self.in_flight);
        }
        self.timing = Timing::Answered;
    }

    #[cold]
    fn refused(&self) {
        self.shared
            .learn(clock::now(), Lesson::Dropped, self.in_flight);
    }

    #[cold]
    fn timed_out(&self) {
        match self.timing {
            Timing::Since(started) => {
                let now = clock::now();
                let took = now.saturating_duration_since(started);
                let lesson = Lesson::TimedOut(took, self.stands_for);
                self.shared.learn(now, lesson, self.in_flight);
            }
            // Of the next ones it will be known whether they had the time that an answer takes.
            Timing::Unknown => self.shared.time_all(),
            // A stream that lasted until its deadline.
            Timing::Answered => {}
        }
    }
}
