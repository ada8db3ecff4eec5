//! One subject in one scenario.

use super::{
    backend::Backend,
    drive::{Tally, drive},
    oracle, ours, peers,
    report::Row,
    scenario::Scenario,
    subject::Subject,
    world::World,
};
use std::time::Duration;
use ziggurat_balance::{LeastRequest, RoundRobin};
use ziggurat_core::Dice;

/// How long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) warm_up: Duration,
    pub(crate) length: Duration,
}

/// Who was called, second by second.
#[derive(Debug, Default)]
struct Watch {
    /// What each had been called when this was last looked at.
    came: Vec<u64>,
    bad: u64,
    all: u64,
    /// The most that one was called in a second, as a multiple of its fair share.
    most: f64,
}

/// Runs it in a runtime of its own, whose clock is stopped.
pub(crate) fn run(subject: Subject, scenario: &Scenario, seed: u64, pace: Pace) -> Row {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O can always be made");
    runtime.block_on(simulate(subject, scenario, seed, pace))
}

async fn simulate(subject: Subject, scenario: &Scenario, seed: u64, pace: Pace) -> Row {
    // Sequences of their own: what one draws does not move the others.
    let [arrivals, backends, choices] = [0, 1, 2].map(|nth| Dice::seeded(seed ^ nth << 32));
    let world = &World::new(scenario, backends);
    let mut watch = Watch::default();
    let look = |world: &World| watch.look(&world.all(), world.live().len());
    let (dice, by) = (&choices, (scenario, pace, &arrivals));
    macro_rules! drive {
        ($service:expr) => {
            drive($service, world, by.0, by.1, by.2, look).await
        };
    }
    let tally = match subject {
        Subject::Oracle => drive!(oracle::oracle(world)),
        Subject::Ziggurat => drive!(ours::balanced(world, dice)),
        Subject::ZigguratRetry => drive!(ours::retried(world, dice)),
        Subject::ZigguratLeastRequest => {
            drive!(ours::by(
                LeastRequest::new().dice(dice.clone()),
                world,
                dice
            ))
        }
        Subject::ZigguratRoundRobin => {
            drive!(ours::by(
                RoundRobin::plain().dice(dice.clone()),
                world,
                dice
            ))
        }
        Subject::TowerPeakEwma => drive!(peers::peak_ewma(world)),
        Subject::TowerPending => drive!(peers::pending(world)),
        Subject::Tonic => drive!(peers::constant(world)),
        Subject::RoundRobin => drive!(peers::round_robin(world)),
    };
    row(subject, scenario, tally, &watch)
}

fn row(subject: Subject, scenario: &Scenario, mut tally: Tally, watch: &Watch) -> Row {
    tally.successes.sort_unstable();
    let calls = tally.successes.len() as u64 + tally.errors + tally.misses;
    let part = |part: u64| part as f64 / calls as f64;
    let quantile = |quantile: f64| {
        let at = (tally.successes.len() as f64 * quantile) as usize;
        let took = tally.successes.get(at);
        took.map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
    };
    Row {
        scenario: scenario.name,
        subject: subject.name(),
        success: part(tally.successes.len() as u64),
        errors: part(tally.errors),
        misses: part(tally.misses),
        p50_ms: quantile(0.5),
        p99_ms: quantile(0.99),
        p999_ms: quantile(0.999),
        share_bad: watch.bad as f64 / watch.all.max(1) as f64,
        most: watch.most,
    }
}

// === impl Watch ===

impl Watch {
    fn look(&mut self, all: &[Backend], live: usize) {
        let first = self.came.is_empty();
        self.came.resize(all.len(), 0);
        let news: Vec<u64> = all
            .iter()
            .zip(&self.came)
            .map(|(one, came)| one.came() - came)
            .collect();
        self.came = all.iter().map(Backend::came).collect();
        if first {
            return;
        }
        let sum: u64 = news.iter().sum();
        let most = news.iter().max().copied().unwrap_or(0);
        self.most = self.most.max(most as f64 * live as f64 / sum.max(1) as f64);
        self.all += sum;
        let bad = |one: &Backend| match one.kind() {
            _ if one.is_dead() => true,
            super::backend::Kind::Cold(_) => one.is_cold(),
            kind => !kind.is_good(),
        };
        let counted = all.iter().zip(&news).filter(|(one, _)| bad(one));
        self.bad += counted.map(|(_, news)| news).sum::<u64>();
    }
}
