//! The states of the circuit and the ways between them. It reads no clock and takes no lock.

use crate::{Settings, State, word::Measure};
use std::time::Duration;
use ziggurat_core::clock::Instant;

/// The state of a circuit; in the closed one nobody asks it.
#[derive(Debug)]
pub(crate) struct Machine {
    phase: Phase,
    /// Counts the phases: what was admitted in one says nothing about another.
    generation: u32,
    /// What this generation counts in.
    measure: Measure,
    /// How often it opened since it was closed.
    streak: u32,
    opened: u64,
    probes: u32,
}

#[derive(Debug)]
enum Phase {
    Closed,
    Open {
        until: Instant,
    },
    HalfOpen {
        probes: Vec<Probe>,
        successes: u32,
    },
    ForcedOpen,
    /// It takes more and more of the load, until all.
    Recovering {
        until: Instant,
    },
    /// It rejects a share.
    Throttling,
    Disabled,
    MetricsOnly,
}

/// A probe that is under way.
#[derive(Debug)]
struct Probe {
    number: u32,
    expires: Instant,
}

/// What becomes of the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Admit,
    Probe(u32),
    Reject,
}

/// How long every call is rejected, whoever asks; or not all are admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    No,
    Until(Instant),
    ForEver,
}

// === impl Machine ===

impl Machine {
    pub(crate) const fn new(measure: Measure) -> Self {
        Self {
            phase: Phase::Closed,
            generation: 0,
            measure,
            streak: 0,
            opened: 0,
            probes: 0,
        }
    }

    /// May a call be sent at `now`?
    pub(crate) fn admit(&mut self, now: Instant, settings: &Settings) -> Verdict {
        match &self.phase {
            Phase::Closed
            | Phase::Recovering { .. }
            | Phase::Throttling
            | Phase::Disabled
            | Phase::MetricsOnly => return Verdict::Admit,
            Phase::ForcedOpen => return Verdict::Reject,
            Phase::Open { until } if now < *until => return Verdict::Reject,
            Phase::Open { .. } => self.enter(Phase::HalfOpen {
                probes: Vec::new(),
                successes: 0,
            }),
            Phase::HalfOpen { .. } => {}
        }
        self.probe(now, settings)
    }

    /// Calls that were admitted in `generation` failed, and it is enough.
    pub(crate) fn open(
        &mut self,
        generation: u32,
        now: Instant,
        delay: impl FnOnce(u32) -> Duration,
    ) {
        let may_open = matches!(
            self.phase,
            Phase::Closed | Phase::Recovering { .. } | Phase::HalfOpen { .. }
        );
        if generation != self.generation || !may_open {
            return;
        }
        self.streak = self.streak.saturating_add(1);
        self.opened += 1;
        self.enter(Phase::Open {
            until: now + delay(self.streak),
        });
    }

    /// A probe succeeded.
    pub(crate) fn succeeded(
        &mut self,
        generation: u32,
        number: u32,
        now: Instant,
        settings: &Settings,
    ) {
        self.release(generation, number);
        if generation != self.generation {
            return;
        }
        let Phase::HalfOpen { successes, .. } = &mut self.phase else {
            return;
        };
        *successes += 1;
        if *successes < settings.successes {
            return;
        }
        if settings.ramp.is_zero() {
            self.reset();
        } else {
            let until = now + settings.ramp;
            self.enter(Phase::Recovering { until });
        }
    }

    /// The ramp is over: what was counted on it still counts.
    pub(crate) fn recovered(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Recovering { until } if until <= now) {
            self.streak = 0;
            self.phase = Phase::Closed;
        }
    }

    /// From now on a share is rejected, or no more: what was counted still counts.
    pub(crate) fn throttle(&mut self, throttle: bool) {
        match (&self.phase, throttle) {
            (Phase::Closed | Phase::Recovering { .. }, true) => self.phase = Phase::Throttling,
            (Phase::Throttling, false) => self.phase = Phase::Closed,
            _ => {}
        }
    }

    /// A probe that ended says nothing: its place is free.
    pub(crate) fn release(&mut self, generation: u32, number: u32) {
        if generation == self.generation
            && let Phase::HalfOpen { probes, .. } = &mut self.phase
        {
            probes.retain(|probe| probe.number != number);
        }
    }

    /// Counts by another measure from now on, if `generation` is still the present one.
    pub(crate) fn restart(&mut self, generation: u32, measure: Measure, generations: u32) -> bool {
        let counts = !matches!(
            self.phase,
            Phase::Open { .. } | Phase::HalfOpen { .. } | Phase::ForcedOpen
        );
        let present = generation == self.generation && counts;
        if present {
            self.measure = measure;
            self.generation = generation.wrapping_add(generations);
        }
        present
    }

    pub(crate) fn reset(&mut self) {
        self.streak = 0;
        self.enter(Phase::Closed);
    }

    pub(crate) fn force_open(&mut self) {
        if !matches!(self.phase, Phase::ForcedOpen) {
            self.opened += 1;
            self.enter(Phase::ForcedOpen);
        }
    }

    pub(crate) fn disable(&mut self) {
        if !matches!(self.phase, Phase::Disabled) {
            self.enter(Phase::Disabled);
        }
    }

    pub(crate) fn metrics_only(&mut self) {
        if !matches!(self.phase, Phase::MetricsOnly) {
            self.enter(Phase::MetricsOnly);
        }
    }

    pub(crate) const fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::ForcedOpen => State::ForcedOpen,
            Phase::Recovering { .. } => State::Recovering,
            Phase::Throttling => State::Throttling,
            Phase::Disabled => State::Disabled,
            Phase::MetricsOnly => State::MetricsOnly,
        }
    }

    pub(crate) const fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) const fn measure(&self) -> Measure {
        self.measure
    }

    pub(crate) const fn opened(&self) -> u64 {
        self.opened
    }

    pub(crate) fn hold(&self, settings: &Settings) -> Hold {
        match &self.phase {
            // A circuit that recovers holds until it takes all of the load.
            Phase::Open { until } | Phase::Recovering { until } => Hold::Until(*until),
            Phase::HalfOpen { probes, .. } if has_room(probes, settings) => Hold::No,
            Phase::HalfOpen { probes, .. } => {
                let next = probes.iter().map(|probe| probe.expires).min();
                next.map_or(Hold::No, Hold::Until)
            }
            Phase::ForcedOpen => Hold::ForEver,
            Phase::Closed | Phase::Throttling | Phase::Disabled | Phase::MetricsOnly => Hold::No,
        }
    }

    fn probe(&mut self, now: Instant, settings: &Settings) -> Verdict {
        let Phase::HalfOpen { probes, .. } = &mut self.phase else {
            return Verdict::Reject;
        };
        // One that never answers must not keep its place for ever.
        probes.retain(|probe| now < probe.expires);
        if !has_room(probes, settings) {
            return Verdict::Reject;
        }
        self.probes = self.probes.wrapping_add(1);
        probes.push(Probe {
            number: self.probes,
            expires: now + settings.probe_timeout,
        });
        Verdict::Probe(self.probes)
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation = self.generation.wrapping_add(1);
    }
}

fn has_room(probes: &[Probe], settings: &Settings) -> bool {
    probes.len() < settings.probes as usize
}

#[cfg(test)]
mod tests;
