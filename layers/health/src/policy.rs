//! The decision: when an endpoint goes, and when it comes back.
//!
//! ```text
//!              N in a row, and room
//!   Serving ─────────────────────────> Ejected
//!    ^   ^                              │   ^
//!    │   │ probe succeeds        time up │   │ probe fails
//!    │   └────────────── Probing <──┐   v   │
//!    │                     │   │    └─ Recovering (one probe may go)
//!    │                     │   └──────────^ │
//!    │                     │  cancelled, or no answer in time
//!    └─ answer has begun ──┘
//! ```
//!
//! A probe that was given up may still bring the endpoint back, while it is not ejected again.

use crate::Settings;
use std::time::Duration;
use ziggurat_core::{Deadline, Outcome, clock::Instant};

/// One endpoint's standing. Reads no clock: whoever asks says what time it is.
#[derive(Debug)]
pub(crate) struct Standing {
    phase: Phase,
    /// Grows with every change of phase: what began before counts no more.
    generation: u64,
    /// Ejections in a row; forgotten one by one while the endpoint does well.
    ejections: u32,
    returned_at: Option<Instant>,
    /// The generation of the first probe since the ejection: all tickets from there on are probes'.
    probed_since: Option<u64>,
}

#[derive(Debug)]
enum Phase {
    Serving { failures: u32, timeouts: u32 },
    Ejected { until: Instant },
    Recovering,
    Probing { until: Instant, responded: bool },
}

/// What has to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Stay,
    /// It has failed enough: [`eject`](Standing::eject) it, if there is room.
    Eject,
    /// It may be picked, for one probe; nothing wakes it but a call.
    Recover,
    /// It serves again.
    Return,
}

/// What a call is, as far as health is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    generation: u64,
}

// === impl Standing ===

impl Standing {
    pub(crate) const fn new() -> Self {
        Self {
            phase: Phase::fresh(),
            generation: 0,
            ejections: 0,
            returned_at: None,
            probed_since: None,
        }
    }

    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) const fn is_serving(&self) -> bool {
        matches!(self.phase, Phase::Serving { .. })
    }

    /// May it not be picked?
    pub(crate) const fn is_out(&self) -> bool {
        matches!(self.phase, Phase::Ejected { .. } | Phase::Probing { .. })
    }

    /// Has nothing failed since the last success?
    pub(crate) const fn is_clean(&self) -> bool {
        matches!(
            self.phase,
            Phase::Serving {
                failures: 0,
                timeouts: 0
            }
        )
    }

    /// When [`wake`](Self::wake) has something to do.
    pub(crate) const fn wakes_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Ejected { until } | Phase::Probing { until, .. } => Some(until),
            Phase::Serving { .. } | Phase::Recovering => None,
        }
    }

    /// A call goes there while it is not serving: it is the probe if there is a place for one.
    pub(crate) fn probe(&mut self, now: Instant, settings: &Settings) -> Option<Ticket> {
        let Phase::Recovering = self.phase else {
            return None;
        };
        self.turn(Phase::Probing {
            until: later(now, settings.probe_timeout),
            responded: false,
        });
        self.probed_since.get_or_insert(self.generation);
        Some(Ticket::of(self.generation))
    }

    /// The answer to a call has begun.
    pub(crate) fn respond(&mut self, ticket: Ticket, now: Instant) -> Verdict {
        if self.is_late_probe(ticket) {
            // It was given up when its time was over, and had its head come before, it would have
            // brought the endpoint back then.
            return self.come_back(now);
        }
        if let Phase::Probing { responded, .. } = &mut self.phase
            && ticket.generation == self.generation
        {
            *responded = true;
        }
        Verdict::Stay
    }

    /// A call has ended.
    pub(crate) fn record(
        &mut self,
        ticket: Ticket,
        outcome: Outcome,
        now: Instant,
        settings: &Settings,
    ) -> Verdict {
        if outcome.is_success() && self.is_late_probe(ticket) {
            return self.come_back(now);
        }
        if ticket.generation != self.generation {
            return Verdict::Stay;
        }
        match &mut self.phase {
            Phase::Serving { failures, timeouts } => {
                *timeouts = match outcome {
                    Outcome::Timeout => timeouts.saturating_add(1),
                    outcome if outcome.counts() => 0,
                    _ => *timeouts,
                };
                *failures = match outcome {
                    outcome if outcome.is_failure() => failures.saturating_add(1),
                    outcome if outcome.is_success() => 0,
                    _ => *failures,
                };
                let reached = |count: u32, most: u32| most > 0 && count >= most;
                if reached(*failures, settings.failures) || reached(*timeouts, settings.timeouts) {
                    return Verdict::Eject;
                }
                Verdict::Stay
            }
            Phase::Probing { .. } if outcome.is_success() => self.come_back(now),
            // Of an endpoint that was out already, there is room for it to stay out.
            Phase::Probing { .. } if outcome.is_failure() => Verdict::Eject,
            Phase::Probing { .. } => self.recover(),
            Phase::Ejected { .. } | Phase::Recovering => Verdict::Stay,
        }
    }

    /// It goes; answers for how long. `luck`, from 0 to 1, spreads those that went together.
    pub(crate) fn eject(&mut self, now: Instant, luck: f64, settings: &Settings) -> Duration {
        let well = self.returned_at.map(|at| now.saturating_duration_since(at));
        // As in gRFC A50, where each interval without an ejection takes one off.
        let forgiven = well.map_or(0, |well| well.div_duration_f64(settings.interval) as u32);
        self.ejections = self.ejections.saturating_sub(forgiven).saturating_add(1);
        self.returned_at = None;
        self.probed_since = None;
        let time = settings
            .base
            .saturating_mul(self.ejections)
            .min(settings.max);
        let spread = time.as_secs_f64() * (0.8 + 0.4 * luck);
        // What is too long to be spread is too long to be waited for, too.
        let time = Duration::try_from_secs_f64(spread).unwrap_or(time);
        self.turn(Phase::Ejected {
            until: later(now, time),
        });
        time
    }

    /// There was no room to eject it: it has another chance.
    pub(crate) fn spare(&mut self) {
        self.phase = Phase::fresh();
    }

    /// Nobody is to be ejected any more.
    pub(crate) fn release(&mut self, now: Instant) -> Verdict {
        self.ejections = 0;
        match self.phase {
            Phase::Serving { .. } => Verdict::Stay,
            _ => self.come_back(now),
        }
    }

    /// Time has passed.
    pub(crate) fn wake(&mut self, now: Instant) -> Verdict {
        match self.phase {
            Phase::Ejected { until } if until <= now => self.recover(),
            Phase::Probing {
                until,
                responded: true,
            } if until <= now => self.come_back(now),
            Phase::Probing { until, .. } if until <= now => self.recover(),
            _ => Verdict::Stay,
        }
    }

    /// Was this a probe since the ejection, and is it out of the count by now?
    const fn is_late_probe(&self, ticket: Ticket) -> bool {
        let may_return = matches!(self.phase, Phase::Recovering | Phase::Probing { .. });
        let Some(since) = self.probed_since else {
            return false;
        };
        may_return && ticket.generation >= since && ticket.generation < self.generation
    }

    fn recover(&mut self) -> Verdict {
        self.turn(Phase::Recovering);
        Verdict::Recover
    }

    fn come_back(&mut self, now: Instant) -> Verdict {
        self.returned_at = Some(now);
        self.probed_since = None;
        self.turn(Phase::fresh());
        Verdict::Return
    }

    const fn turn(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation += 1;
    }
}

// === impl Phase ===

impl Phase {
    const fn fresh() -> Self {
        Self::Serving {
            failures: 0,
            timeouts: 0,
        }
    }
}

// === impl Ticket ===

impl Ticket {
    pub(crate) const fn of(generation: u64) -> Self {
        Self { generation }
    }

    pub(crate) const fn generation(self) -> u64 {
        self.generation
    }
}

/// However long it is: what no clock can tell is far enough.
fn later(now: Instant, time: Duration) -> Instant {
    Deadline::after_from(time, now).instant()
}

#[cfg(test)]
mod tests;
