//! The rules once more, slowly and obviously, and random scripts that compare the two.

use super::*;
use ziggurat_core::Backoff;

/// Everything is remembered, and looked through whenever a question comes up.
struct Model {
    settings: Settings,
    phase: Phase,
    /// How often the phase changed.
    generation: u32,
    streak: u32,
    opened: u64,
    width: u64,
    results: Vec<(u64, bool)>,
    numbers: u32,
}

#[derive(Clone, Debug)]
enum Phase {
    Closed,
    Open { until: u64 },
    HalfOpen { probes: Vec<(u32, u64)>, good: u32 },
    Forced,
}

#[derive(Clone, Copy, Debug)]
struct Admitted {
    generation: u32,
    probe: Option<u32>,
    answered: bool,
}

const MS: u64 = 1_000_000;

// === impl Model ===

impl Model {
    fn new(settings: Settings) -> Self {
        Self {
            settings,
            phase: Phase::Closed,
            generation: 0,
            streak: 0,
            opened: 0,
            width: width_of(&settings),
            results: Vec::new(),
            numbers: 0,
        }
    }

    fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
            Phase::Forced => State::ForcedOpen,
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation += 1;
        self.results.clear();
    }

    fn close(&mut self) {
        self.streak = 0;
        self.enter(Phase::Closed);
    }

    fn force_open(&mut self) {
        if !matches!(self.phase, Phase::Forced) {
            self.opened += 1;
            self.enter(Phase::Forced);
        }
    }

    fn open(&mut self, now: u64) {
        self.streak += 1;
        self.opened += 1;
        let wait = self.settings.open_time(self.streak, &Dice::new());
        self.enter(Phase::Open {
            until: now + wait.as_nanos() as u64,
        });
    }

    fn admit(&mut self, now: u64) -> Result<Admitted, Option<u64>> {
        if let Phase::Open { until } = self.phase {
            if now < until {
                return Err(Some(until - now));
            }
            self.enter(Phase::HalfOpen {
                probes: Vec::new(),
                good: 0,
            });
        }
        let mut probe = None;
        match &mut self.phase {
            Phase::Closed => {}
            Phase::HalfOpen { probes, .. } => {
                probes.retain(|(_, expires)| now < *expires);
                if probes.len() == self.settings.probes as usize {
                    return Err(None);
                }
                self.numbers += 1;
                let timeout = self.settings.probe_timeout.as_nanos() as u64;
                probes.push((self.numbers, now + timeout));
                probe = Some(self.numbers);
            }
            _ => return Err(None),
        }
        Ok(Admitted {
            generation: self.generation,
            probe,
            answered: false,
        })
    }

    fn responded(&mut self, call: &mut Admitted) {
        let Some(number) = call.probe.take() else {
            return;
        };
        call.answered = true;
        if call.generation == self.generation {
            self.probe_succeeded(number);
            if matches!(self.phase, Phase::Closed) {
                call.generation = self.generation;
                call.answered = false;
            }
        }
    }

    fn probe_succeeded(&mut self, number: u32) {
        let Phase::HalfOpen { probes, good } = &mut self.phase else {
            panic!("a probe of this generation, and it is not half-open");
        };
        probes.retain(|(other, _)| *other != number);
        *good += 1;
        if *good >= self.settings.successes {
            self.close();
        }
    }

    fn settle(&mut self, call: Admitted, outcome: Outcome, now: u64) {
        if call.generation != self.generation {
            return;
        }
        match (call.probe, outcome) {
            (Some(number), Outcome::Success) => self.probe_succeeded(number),
            (Some(_), Outcome::Failure | Outcome::Timeout) => self.open(now),
            (Some(number), _) => {
                if let Phase::HalfOpen { probes, .. } = &mut self.phase {
                    probes.retain(|(other, _)| *other != number);
                }
            }
            (None, Outcome::Failure | Outcome::Timeout) if call.answered => self.open(now),
            (None, _) if call.answered => {}
            (None, Outcome::Success) => self.results.push((now / self.width, true)),
            (None, Outcome::Failure | Outcome::Timeout) => self.failed(now),
            (None, _) => {}
        }
    }

    fn failed(&mut self, now: u64) {
        if self.width != width_of(&self.settings) {
            self.width = width_of(&self.settings);
            self.enter(Phase::Closed);
        }
        let present = now / self.width;
        self.results.push((present, false));
        let in_window = |slice: u64| slice + 16 > present;
        let recent = || self.results.iter().filter(|(slice, _)| in_window(*slice));
        let (calls, failures) = (recent().count(), recent().filter(|(_, good)| !good).count());
        let (mut run, mut last) = (0, 0);
        for (slice, good) in &self.results {
            run = match good {
                true => 0,
                false if slice - last >= 16 => 1,
                false => run + 1,
            };
            last = if *good { last } else { *slice };
        }
        let in_a_row = self
            .settings
            .consecutive_failures
            .is_some_and(|most| run >= most);
        let share = failures as f64 / calls as f64 >= self.settings.failure_ratio;
        if in_a_row || share && calls >= self.settings.minimum_calls as usize {
            self.open(now);
        }
    }
}

fn width_of(settings: &Settings) -> u64 {
    settings.window.as_micros() as u64 / 16 * 1_000
}

fn any<T: Copy>(dice: &Dice, of: &[T]) -> T {
    of[dice.below(of.len())]
}

fn any_settings(dice: &Dice) -> Settings {
    let ms = |of: &[u64]| Duration::from_millis(any(dice, of));
    let open = ms(&[1, 50, 1_000]);
    let backoff = Backoff::new(open, any(dice, &[1.0, 2.0]), 4 * open).unwrap();
    Settings {
        failure_ratio: any(dice, &[0.1, 0.5, 0.9, 1.0]),
        minimum_calls: any(dice, &[1, 3, 10]),
        window: ms(&[16, 100, 160]),
        consecutive_failures: any(dice, &[None, Some(2), Some(5)]),
        backoff: backoff.jitter(0.0).unwrap(),
        // Fixed: it comes into force within a probe timeout, not at once.
        probes: 2,
        successes: any(dice, &[1, 2, 4]),
        probe_timeout: ms(&[10, 500]),
    }
}

fn play(seed: u64) -> [u64; 4] {
    let dice = Dice::seeded(seed);
    let (setter, live) = Live::channel(any_settings(&dice));
    let mut model = Model::new(live.get());
    let (circuit, origin) = (Circuit::new(live, Dice::new(), None), clock::now());
    assert_eq!(circuit.switch.nanos(origin), 0);
    let (mut now, mut calls) = (0, Vec::new());
    let mut seen = [0; 4];
    let good = any(&dice, &[1, 4, 8]);
    for step in 0..300 {
        let at = || origin + Duration::from_nanos(now);
        match dice.below(100) {
            0..40 => match (circuit.admit(at), model.admit(now)) {
                (Ok(ticket), Ok(admitted)) => calls.push((ticket, admitted)),
                (Err(open), Err(wait)) => {
                    assert_eq!(open.retry_after(), wait.map(Duration::from_nanos));
                }
                (ours, theirs) => panic!("seed {seed} step {step}: {ours:?}, model {theirs:?}"),
            },
            40..75 if !calls.is_empty() => {
                let (ticket, admitted) = calls.swap_remove(dice.below(calls.len()));
                let outcome = match dice.below(10) {
                    0 => any(
                        &dice,
                        &[Outcome::Cancelled, Outcome::Overload, Outcome::Timeout],
                    ),
                    n if n <= good => Outcome::Success,
                    _ => Outcome::Failure,
                };
                circuit.settle(dice.below(8), ticket, outcome, at);
                model.settle(admitted, outcome, now);
            }
            75..80 if !calls.is_empty() => {
                let any = dice.below(calls.len());
                let (ticket, admitted) = &mut calls[any];
                circuit.responded(ticket);
                model.responded(admitted);
            }
            80..98 => {
                now += any(
                    &dice,
                    &[
                        0,
                        1,
                        999,
                        MS,
                        MS,
                        10 * MS,
                        10 * MS,
                        99 * MS,
                        161 * MS,
                        1_000 * MS,
                    ],
                );
            }
            98 => match dice.below(8) {
                0 => {
                    circuit.force_open();
                    model.force_open();
                }
                1 => {
                    circuit.reset();
                    model.close();
                }
                _ => {
                    let settings = any_settings(&dice);
                    setter.set(settings);
                    model.settings = settings;
                }
            },
            _ => {}
        }
        assert_eq!(circuit.state(), model.state(), "seed {seed} step {step}");
        assert_eq!(circuit.opened(), model.opened, "seed {seed} step {step}");
        seen[circuit.state() as usize] += 1;
    }
    seen
}

#[test]
fn random_scripts_agree_with_the_model() {
    let mut seen = [0; 4];
    for seed in 0..5_000 {
        for (sum, one) in seen.iter_mut().zip(play(seed)) {
            *sum += one;
        }
    }
    // Every state was there, and often.
    assert!(seen.iter().all(|steps| *steps > 10_000), "{seen:?}");
}
