//! Random scripts, played by the circuit and by the model: they must agree after every step.

use super::{
    model::{Model, Refused},
    *,
};
use crate::settings::{Slow, Span};
use ziggurat_core::Backoff;

const MS: u64 = 1_000_000;
const STATES: usize = 8;
/// How many scripts; `ZIGGURAT_SCRIPTS` says otherwise.
const SCRIPTS: u64 = 100_000;

fn any<T: Copy>(dice: &Dice, of: &[T]) -> T {
    of[dice.below(of.len())]
}

fn any_settings(dice: &Dice) -> Settings {
    let ms = |of: &[u64]| Duration::from_millis(any(dice, of));
    let open = ms(&[1, 50, 1_000]);
    let backoff = Backoff::new(open, any(dice, &[1.0, 2.0]), 4 * open).unwrap();
    let slow = |above, ratio| Slow { above, ratio };
    Settings {
        failure_ratio: any(dice, &[0.1, 0.5, 0.9, 1.0]),
        minimum_calls: any(dice, &[1, 3, 10]),
        window: match dice.below(3) {
            0 => Span::Calls(any(dice, &[1, 3, 20])),
            _ => Span::Time(ms(&[16, 100, 160])),
        },
        slow: match dice.below(3) {
            0 => Some(slow(ms(&[1, 5, 50]), any(dice, &[0.3, 1.0]))),
            _ => None,
        },
        consecutive_failures: any(dice, &[None, Some(2), Some(5)]),
        backoff: backoff.jitter(0.0).unwrap(),
        // Fixed: it comes into force within a probe timeout, not at once.
        probes: 2,
        successes: any(dice, &[1, 2, 4]),
        probe_timeout: ms(&[10, 500]),
        ramp: ms(&[0, 0, 10, 200]),
        adaptive: any(dice, &[None, None, Some(1.1), Some(2.0)]),
    }
}

fn any_outcome(dice: &Dice, good: usize) -> Outcome {
    let odd = [Outcome::Cancelled, Outcome::Overload, Outcome::Timeout];
    match dice.below(10) {
        0 => any(dice, &odd),
        n if n <= good => Outcome::Success,
        _ => Outcome::Failure,
    }
}

fn by_hand(
    dice: &Dice,
    circuit: &Circuit,
    model: &mut Model,
    setter: &ziggurat_core::LiveSetter<Settings>,
) {
    match dice.below(10) {
        0 => {
            circuit.force_open();
            model.force_open();
        }
        1 | 2 => {
            circuit.reset();
            model.close();
        }
        3 => {
            circuit.disable();
            model.disable();
        }
        4 => {
            circuit.metrics_only();
            model.metrics_only();
        }
        _ => {
            model.settings = any_settings(dice);
            setter.set(model.settings);
        }
    }
}

fn agree(ours: &Refusal, theirs: Refused) -> bool {
    match (ours, theirs) {
        (Refusal::Open(ours), Refused::Open(wait)) => *ours == wait,
        (Refusal::Throttled, Refused::Throttled) => true,
        _ => false,
    }
}

fn play(seed: u64) -> [u64; STATES] {
    let dice = Dice::seeded(seed);
    let (setter, live) = Live::channel(any_settings(&dice));
    let mut model = Model::new(live.get(), Dice::seeded(seed));
    let (circuit, origin) = (Circuit::new(live, Dice::seeded(seed), None), clock::now());
    assert_eq!(circuit.switch.nanos(origin), 0);
    let (mut now, mut calls) = (0, Vec::new());
    let mut seen = [0; STATES];
    let good = any(&dice, &[1, 4, 8]);
    let pauses = [
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
    ];
    for step in 0..100 {
        let at = || origin + Duration::from_nanos(now);
        match dice.below(100) {
            0..40 => match (circuit.admit(dice.below(8), at), model.admit(now)) {
                (Ok(ticket), Ok(admitted)) => calls.push((ticket, admitted)),
                (Err(ours), Err(theirs)) if agree(&ours, theirs) => {}
                (ours, theirs) => panic!("seed {seed} step {step}: {ours:?}, model {theirs:?}"),
            },
            40..75 if !calls.is_empty() => {
                let (ticket, admitted) = calls.swap_remove(dice.below(calls.len()));
                let outcome = any_outcome(&dice, good);
                circuit.settle(dice.below(8), ticket, outcome, at);
                model.settle(admitted, outcome, now);
            }
            75..80 if !calls.is_empty() => {
                let any = dice.below(calls.len());
                let (ticket, admitted) = &mut calls[any];
                circuit.responded(ticket, at);
                model.responded(admitted, now);
            }
            80..97 => now += any(&dice, &pauses),
            97..100 => by_hand(&dice, &circuit, &mut model, &setter),
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
    let scripts = std::env::var("ZIGGURAT_SCRIPTS");
    let scripts = scripts.map_or(SCRIPTS, |scripts| scripts.parse().unwrap());
    let mut seen = [0; STATES];
    for seed in 0..scripts {
        for (sum, one) in seen.iter_mut().zip(play(seed)) {
            *sum += one;
        }
    }
    // Every state was there, and often.
    assert!(seen.iter().all(|steps| *steps > scripts / 2), "{seen:?}");
}
