//! The states of the circuit and the ways between them. It reads no clock and takes no lock.

use crate::{Settings, State};
use std::time::Duration;
use ziggurat_core::clock::Instant;

/// The state of a circuit; in the closed one nobody asks it.
#[derive(Debug)]
pub(crate) struct Machine {
    phase: Phase,
    /// Counts the phases: what was admitted in one says nothing about another.
    generation: u32,
    /// The width of a bucket that this generation counts in.
    width: u32,
    /// How often it opened since it was closed.
    streak: u32,
    opened: u64,
    probes: u32,
}

#[derive(Debug)]
enum Phase {
    Closed,
    Open { until: Instant },
    HalfOpen { probes: Vec<Probe>, successes: u32 },
    ForcedOpen,
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

/// How long every call is rejected, whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    No,
    Until(Instant),
    ForEver,
}

// === impl Machine ===

impl Machine {
    pub(crate) const fn new(width: u32) -> Self {
        Self {
            phase: Phase::Closed,
            generation: 0,
            width,
            streak: 0,
            opened: 0,
            probes: 0,
        }
    }

    /// May a call be sent at `now`?
    pub(crate) fn admit(&mut self, now: Instant, settings: &Settings) -> Verdict {
        match &self.phase {
            Phase::Closed => return Verdict::Admit,
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
        let may_open = matches!(self.phase, Phase::Closed | Phase::HalfOpen { .. });
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
    pub(crate) fn succeeded(&mut self, generation: u32, number: u32, settings: &Settings) {
        self.release(generation, number);
        if generation != self.generation {
            return;
        }
        let Phase::HalfOpen { successes, .. } = &mut self.phase else {
            return;
        };
        *successes += 1;
        if *successes >= settings.successes {
            self.reset();
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

    /// Counts in buckets of another width from now on, if `generation` is still the present one.
    pub(crate) fn restart(&mut self, generation: u32, width: u32, generations: u32) -> bool {
        let present = generation == self.generation && matches!(self.phase, Phase::Closed);
        if present {
            self.width = width;
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

    pub(crate) const fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::ForcedOpen => State::ForcedOpen,
        }
    }

    pub(crate) const fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) const fn width(&self) -> u32 {
        self.width
    }

    pub(crate) const fn opened(&self) -> u64 {
        self.opened
    }

    pub(crate) fn hold(&self, settings: &Settings) -> Hold {
        match &self.phase {
            Phase::Open { until } => Hold::Until(*until),
            Phase::HalfOpen { probes, .. } if has_room(probes, settings) => Hold::No,
            Phase::HalfOpen { probes, .. } => {
                let next = probes.iter().map(|probe| probe.expires).min();
                next.map_or(Hold::No, Hold::Until)
            }
            Phase::ForcedOpen => Hold::ForEver,
            Phase::Closed => Hold::No,
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
mod tests {
    use super::*;
    use ziggurat_core::clock;

    const SECOND: Duration = Duration::from_secs(1);

    fn settings() -> Settings {
        Settings::new().probe_timeout(2 * SECOND).unwrap()
    }

    fn open(machine: &mut Machine, now: Instant) {
        machine.open(machine.generation(), now, |streak| SECOND * streak);
    }

    #[test]
    fn it_opens_probes_and_closes() {
        let (mut machine, t0) = (Machine::new(1), clock::now());
        assert_eq!(machine.admit(t0, &settings()), Verdict::Admit);
        open(&mut machine, t0);
        assert_eq!(machine.hold(&settings()), Hold::Until(t0 + SECOND));
        assert_eq!(machine.admit(t0, &settings()), Verdict::Reject);
        for probe in [1, 2] {
            assert_eq!(
                machine.admit(t0 + SECOND, &settings()),
                Verdict::Probe(probe)
            );
            assert_eq!(machine.admit(t0 + SECOND, &settings()), Verdict::Reject);
            machine.succeeded(machine.generation(), probe, &settings());
        }
        assert_eq!(machine.state(), State::Closed);
    }

    #[test]
    fn the_longest_settings_fit_the_clock() {
        let day = 86_400 * SECOND;
        let longest = Settings::new().probe_timeout(day).unwrap();
        let longest = longest.open_for(day).unwrap().probes(1_024).unwrap();
        let (mut machine, mut now) = (Machine::new(1), clock::now());
        let dice = ziggurat_core::Dice::seeded(1);
        for _ in 0..3 {
            machine.streak = u32::MAX;
            machine.open(machine.generation(), now, |streak| {
                longest.open_time(streak, &dice)
            });
            assert_eq!(machine.hold(&longest), Hold::Until(now + day));
            now += day;
            assert!(matches!(machine.admit(now, &longest), Verdict::Probe(_)));
        }
    }

    #[test]
    fn each_opening_in_a_row_lasts_longer() {
        let (mut machine, mut now) = (Machine::new(1), clock::now());
        for streak in 1..5 {
            open(&mut machine, now);
            assert_eq!(
                machine.hold(&settings()),
                Hold::Until(now + SECOND * streak)
            );
            now += SECOND * streak;
            assert!(matches!(machine.admit(now, &settings()), Verdict::Probe(_)));
        }
        assert_eq!(machine.opened(), 4);
        machine.reset();
        open(&mut machine, now);
        assert_eq!(machine.hold(&settings()), Hold::Until(now + SECOND));
    }

    #[test]
    fn a_hung_probe_frees_its_place_and_its_end_frees_no_other() {
        let (mut machine, t0) = (Machine::new(1), clock::now());
        open(&mut machine, t0);
        let t1 = t0 + SECOND;
        assert_eq!(machine.admit(t1, &settings()), Verdict::Probe(1));
        let t3 = t1 + 2 * SECOND;
        assert_eq!(machine.admit(t3, &settings()), Verdict::Probe(2));
        machine.release(machine.generation(), 1);
        assert_eq!(machine.admit(t3, &settings()), Verdict::Reject);
        machine.release(machine.generation(), 2);
        assert_eq!(machine.admit(t3, &settings()), Verdict::Probe(3));
    }

    #[test]
    fn an_earlier_generation_moves_nothing() {
        let (mut machine, t0) = (Machine::new(1), clock::now());
        let closed = machine.generation();
        open(&mut machine, t0);
        assert_eq!(machine.admit(t0 + SECOND, &settings()), Verdict::Probe(1));
        let half_open = machine.generation();
        for late in [closed, closed.wrapping_sub(1), half_open - 1] {
            machine.open(late, t0 + SECOND, |_| SECOND);
            machine.succeeded(late, 1, &settings());
            machine.release(late, 1);
            assert!(!machine.restart(late, 1, 1));
        }
        assert_eq!(machine.generation(), half_open);
        assert_eq!(machine.admit(t0 + SECOND, &settings()), Verdict::Reject);
    }

    #[test]
    fn forced_open_it_stays_open_until_reset() {
        let (mut machine, t0) = (Machine::new(1), clock::now());
        machine.force_open();
        machine.force_open();
        assert_eq!(
            (machine.opened(), machine.hold(&settings())),
            (1, Hold::ForEver)
        );
        open(&mut machine, t0);
        assert_eq!(
            machine.admit(t0 + 1_000_000 * SECOND, &settings()),
            Verdict::Reject
        );
        machine.reset();
        assert_eq!(machine.admit(t0, &settings()), Verdict::Admit);
    }
}
