//! Which faults, when, and for how long: written down, or drawn from a seed.

use super::{
    fault::{Fault, Members, Sites},
    world::{MEMBERS, SITES},
};
use std::{env, fmt, time::Duration};
use ziggurat_core::Dice;

/// Faults, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    /// What everything by chance comes from, the clients' jitter too.
    pub(super) seed: u64,
    pub(super) steps: Vec<Step>,
}

/// One fault, and the quiet after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) fault: Fault,
    /// Something with the ways to the cluster at the same time.
    pub(super) also: Option<Fault>,
    pub(super) lasts: Duration,
    /// After all is well again.
    pub(super) rest: Duration,
}

const MS: Duration = Duration::from_millis(1);
/// About how long it takes until all is well after a fault.
const RECOVERY: Duration = Duration::from_secs(1);

// === impl Schedule ===

impl Schedule {
    /// What the seed stands for, in the time of about `length`; a longer one begins in the same way.
    pub(super) fn drawn(seed: u64, length: Duration) -> Self {
        let dice = Dice::seeded(seed);
        let mut steps = Vec::new();
        let mut planned = Duration::ZERO;
        while planned < length {
            let step = Step::drawn(&dice);
            planned += step.lasts + step.rest + RECOVERY;
            steps.push(step);
        }
        Self { seed, steps }
    }

    /// These faults, each for so long.
    pub(super) fn of(steps: impl IntoIterator<Item = (Fault, Duration)>) -> Self {
        let steps = steps.into_iter().map(|(fault, lasts)| Step {
            fault,
            also: None,
            lasts,
            rest: 500 * MS,
        });
        Self {
            seed: seed(),
            steps: steps.collect(),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {} steps", self.seed, self.steps.len())?;
        let mut steps = self.steps.iter().enumerate();
        steps.try_for_each(|(at, step)| writeln!(f, "{at:>4}. {step}"))
    }
}

// === impl Step ===

impl Step {
    fn drawn(dice: &Dice) -> Self {
        let fault = draw(dice);
        let also = (dice.below(3) == 0).then(|| draw_way(dice));
        let moment = |fault: &Fault| matches!(fault, Fault::Cut(_) | Fault::RevokeAll);
        let lasts = match moment(&fault) && also.as_ref().is_none_or(moment) {
            true => Duration::ZERO,
            false => whole(dice.duration(500 * MS..7_000 * MS)),
        };
        let rest = whole(dice.duration(Duration::ZERO..2_000 * MS));
        Self {
            fault,
            also,
            lasts,
            rest,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fault)?;
        if let Some(also) = &self.also {
            write!(f, ", and {also}")?;
        }
        write!(f, " for {:?}, then quiet for {:?}", self.lasts, self.rest)
    }
}

fn draw(dice: &Dice) -> Fault {
    match dice.below(11) {
        0 => Fault::KillLeader,
        1 => Fault::FreezeLeader,
        2 => Fault::Freeze(dice.below(MEMBERS)),
        3 => Fault::KillAll,
        4 => Fault::Compact(draw_sites(dice)),
        5 => Fault::RevokeAll,
        6 => Fault::FreezeAllBut(dice.below(MEMBERS)),
        _ => draw_way(dice),
    }
}

fn draw_way(dice: &Dice) -> Fault {
    let sites = draw_sites(dice);
    match dice.below(4) {
        0 => Fault::Lose(sites, Members::All),
        1 => Fault::Lose(sites, Members::One(dice.below(MEMBERS))),
        2 => Fault::Delay(sites, whole(dice.duration(20 * MS..600 * MS))),
        _ => Fault::Cut(sites),
    }
}

fn draw_sites(dice: &Dice) -> Sites {
    match dice.below(SITES + 1) {
        SITES => Sites::All,
        site => Sites::One(site),
    }
}

/// The one that is named by the environment, or any.
pub(super) fn seed() -> u64 {
    variable("ZIGGURAT_FAULT_SEED").unwrap_or_else(|| Dice::new().number())
}

/// A number from the environment.
pub(super) fn variable(name: &str) -> Option<u64> {
    let value = env::var(name).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{name} must be a number, and is {value}")))
}

/// Full milliseconds: what is printed is what was.
fn whole(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap())
}

#[test]
fn a_seed_stands_for_one_schedule_and_a_longer_one_begins_like_it() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let short = Schedule::drawn(7, minutes(2));
    assert_eq!(short, Schedule::drawn(7, minutes(2)));
    let long = Schedule::drawn(7, minutes(60));
    assert_eq!(long.steps[..short.steps.len()], short.steps);
    assert_ne!(Schedule::drawn(8, minutes(2)).steps, short.steps);
    // Every kind of fault is drawn some time.
    let kinds = long
        .steps
        .iter()
        .map(|it| std::mem::discriminant(&it.fault));
    assert_eq!(kinds.collect::<std::collections::HashSet<_>>().len(), 10);
}
