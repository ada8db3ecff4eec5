//! The rules once more, slowly and obviously: everything is remembered, and looked through whenever
//! a question comes up.

use super::{memory::Memory, *};
use crate::settings::Span;

pub(super) struct Model {
    pub(super) settings: Settings,
    pub(super) opened: u64,
    phase: Phase,
    /// How often all that was counted was forgotten.
    era: u32,
    streak: u32,
    memory: Memory,
    numbers: u32,
    dice: Dice,
}

/// What the model admitted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admitted {
    era: u32,
    role: ModelRole,
    begun: u64,
    timed: bool,
    slow: Option<bool>,
}

/// Why the model did not admit a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Open(Option<u64>),
    Throttled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ModelRole {
    Call,
    Probe(u32),
    Answered,
}

#[derive(Clone, Debug)]
enum Phase {
    Closed,
    Open { until: u64 },
    HalfOpen { probes: Vec<(u32, u64)>, good: u32 },
    Forced,
    Recovering { until: u64 },
    Throttling,
    Disabled,
    MetricsOnly,
}

// === impl Model ===

impl Model {
    pub(super) fn new(settings: Settings, dice: Dice) -> Self {
        Self {
            settings,
            opened: 0,
            phase: Phase::Closed,
            era: 0,
            streak: 0,
            memory: Memory::new(settings.window),
            numbers: 0,
            dice,
        }
    }

    pub(super) fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Forced => State::ForcedOpen,
            Phase::Recovering { .. } => State::Recovering,
            Phase::Throttling => State::Throttling,
            Phase::Disabled => State::Disabled,
            Phase::MetricsOnly => State::MetricsOnly,
        }
    }

    pub(super) fn close(&mut self) {
        self.streak = 0;
        self.enter(Phase::Closed);
    }

    pub(super) fn force_open(&mut self) {
        if !matches!(self.phase, Phase::Forced) {
            self.opened += 1;
            self.enter(Phase::Forced);
        }
    }

    pub(super) fn disable(&mut self) {
        if !matches!(self.phase, Phase::Disabled) {
            self.enter(Phase::Disabled);
        }
    }

    pub(super) fn metrics_only(&mut self) {
        if !matches!(self.phase, Phase::MetricsOnly) {
            self.enter(Phase::MetricsOnly);
        }
    }

    pub(super) fn admit(&mut self, now: u64) -> Result<Admitted, Refused> {
        let role = self.role(now)?;
        Ok(Admitted {
            era: self.era,
            role,
            begun: now,
            timed: self.settings.slow.is_some(),
            slow: None,
        })
    }

    pub(super) fn responded(&mut self, call: &mut Admitted, now: u64) {
        let slow = self.is_slow(call, now);
        if call.timed {
            call.slow = Some(slow);
        }
        let ModelRole::Probe(number) = call.role else {
            return;
        };
        call.role = ModelRole::Answered;
        if call.era != self.era {
            return;
        }
        if slow {
            self.open(now);
        } else if self.probe_succeeded(number, now) {
            call.era = self.era;
            call.role = ModelRole::Call;
        }
    }

    pub(super) fn settle(&mut self, call: Admitted, outcome: Outcome, now: u64) {
        let slow = self.is_slow(&call, now);
        if call.era != self.era {
            return;
        }
        let (good, bad) = (outcome.is_success(), outcome.is_failure());
        let overload = outcome == Outcome::Overload && self.settings.adaptive.is_some();
        match call.role {
            ModelRole::Call if good && !slow => self.memory.note(now, true, false, true),
            ModelRole::Call if good || bad => self.noted(now, good, slow),
            ModelRole::Call if overload => self.noted(now, false, false),
            ModelRole::Probe(_) | ModelRole::Answered if bad => self.open(now),
            ModelRole::Probe(_) if good && slow => self.open(now),
            ModelRole::Probe(number) if good => {
                self.probe_succeeded(number, now);
            }
            ModelRole::Probe(number) => {
                if let Phase::HalfOpen { probes, .. } = &mut self.phase {
                    probes.retain(|(other, _)| *other != number);
                }
            }
            ModelRole::Call | ModelRole::Answered => {}
        }
    }

    fn role(&mut self, now: u64) -> Result<ModelRole, Refused> {
        match self.phase.clone() {
            Phase::Closed | Phase::Disabled | Phase::MetricsOnly => Ok(ModelRole::Call),
            Phase::Forced => Err(Refused::Open(None)),
            Phase::Open { until } if now < until => Err(Refused::Open(Some(until - now))),
            Phase::Open { .. } => {
                let probes = Vec::new();
                self.enter(Phase::HalfOpen { probes, good: 0 });
                self.probe(now)
            }
            Phase::HalfOpen { .. } => self.probe(now),
            Phase::Recovering { until } if now < until => {
                let left = Duration::from_nanos(until - now);
                let admitted = self.dice.fraction() < self.settings.admitted_share(left);
                admitted
                    .then_some(ModelRole::Call)
                    .ok_or(Refused::Throttled)
            }
            Phase::Recovering { .. } => {
                self.streak = 0;
                self.phase = Phase::Closed;
                Ok(ModelRole::Call)
            }
            Phase::Throttling => self.throttled(now),
        }
    }

    fn probe(&mut self, now: u64) -> Result<ModelRole, Refused> {
        let Phase::HalfOpen { probes, .. } = &mut self.phase else {
            panic!("probes are of the half-open circuit");
        };
        probes.retain(|(_, expires)| now < *expires);
        if probes.len() == self.settings.probes as usize {
            return Err(Refused::Open(None));
        }
        self.numbers += 1;
        let timeout = self.settings.probe_timeout.as_nanos() as u64;
        probes.push((self.numbers, now + timeout));
        Ok(ModelRole::Probe(self.numbers))
    }

    fn throttled(&mut self, now: u64) -> Result<ModelRole, Refused> {
        let share = self.settings.rejected_share(self.memory.totals(now));
        if share <= 0.0 {
            self.phase = Phase::Closed;
            return Ok(ModelRole::Call);
        }
        if self.dice.fraction() >= share {
            return Ok(ModelRole::Call);
        }
        self.memory.note(now, false, false, false);
        Err(Refused::Throttled)
    }

    /// Did that close it, if only to recover?
    fn probe_succeeded(&mut self, number: u32, now: u64) -> bool {
        let Phase::HalfOpen { probes, good } = &mut self.phase else {
            panic!("a probe of this era, and it is not half-open");
        };
        probes.retain(|(other, _)| *other != number);
        *good += 1;
        if *good < self.settings.successes {
            return false;
        }
        if self.settings.ramp.is_zero() {
            self.close();
        } else {
            let until = now + self.settings.ramp.as_nanos() as u64;
            self.enter(Phase::Recovering { until });
        }
        true
    }

    /// A failure, or a slow success.
    fn noted(&mut self, now: u64, good: bool, slow: bool) {
        if matches!(self.phase, Phase::Disabled) {
            return;
        }
        if self.memory.span != self.settings.window {
            self.memory.span = self.settings.window;
            self.enter(self.phase.clone());
        }
        self.memory.note(now, good, slow, true);
        match self.phase {
            Phase::Closed | Phase::Recovering { .. } if self.settings.adaptive.is_some() => {
                let throttle = self.settings.rejected_share(self.memory.totals(now)) > 0.0;
                self.phase = if throttle {
                    Phase::Throttling
                } else {
                    self.phase.clone()
                };
            }
            Phase::Closed | Phase::Recovering { .. } if self.is_enough(now) => self.open(now),
            _ => {}
        }
    }

    fn is_enough(&self, now: u64) -> bool {
        let totals = self.memory.totals(now);
        let calls = totals.calls() as f64;
        let minimum = match self.settings.window {
            Span::Calls(full) => self.settings.minimum_calls.min(full),
            Span::Time(_) => self.settings.minimum_calls,
        };
        let enough = totals.calls() >= u64::from(minimum);
        let failing = totals.failures as f64 / calls >= self.settings.failure_ratio;
        let slow = self.settings.slow;
        let slow = slow.is_some_and(|slow| totals.slow as f64 / calls >= slow.ratio);
        let most = self.settings.consecutive_failures;
        most.is_some_and(|most| self.memory.run() >= most) || enough && (failing || slow)
    }

    fn is_slow(&self, call: &Admitted, now: u64) -> bool {
        let took = Duration::from_nanos(now - call.begun);
        let slow = call.slow.unwrap_or_else(|| self.settings.is_slow(took));
        call.timed && slow
    }

    fn open(&mut self, now: u64) {
        self.streak += 1;
        self.opened += 1;
        let wait = self.settings.open_time(self.streak, &self.dice);
        let until = now + wait.as_nanos() as u64;
        self.enter(Phase::Open { until });
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.era += 1;
        self.memory.forget();
    }
}
