//! A schedule that is carried out under a workload, and what it shows.

use super::{
    contest_kinds::Contests,
    discovery::Discovery,
    findings::Findings,
    followers::Followers,
    schedule::{Schedule, Step},
    stage::{Forgiven, Stage},
    world::{LONG, World},
};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use ziggurat::coord::{Range, Store};
use ziggurat_core::Dice;

/// A world, its workload, and what happened to it so far.
struct Trial {
    world: World,
    discovery: Discovery,
    contests: Contests,
    followers: Followers,
    forgiven: Forgiven,
    findings: Findings,
    begun: Instant,
    done: Vec<String>,
    worst: Duration,
}

/// Carries out the whole schedule.
///
/// # Panics
///
/// With the seed, the schedule so far and what was violated.
pub(super) async fn run(schedule: &Schedule) {
    println!("{schedule}");
    let mut trial = Trial::start(schedule.seed).await;
    for (at, step) in schedule.steps.iter().enumerate() {
        trial.step(at, step).await;
        trial.judge(schedule);
    }
    trial.settle().await;
    trial.judge(schedule);
    println!("slowest way back: {:?}", trial.worst);
    trial.stages().for_each(|it| println!("{}", it.summary()));
}

// === impl Trial ===

impl Trial {
    async fn start(seed: u64) -> Self {
        let dice = Dice::seeded(seed);
        let (findings, forgiven) = (Findings::default(), Forgiven::default());
        let world = World::start(&dice).await;
        let discovery = Discovery::start(&world, &dice, &findings).await;
        let contests = Contests::start(&world, &dice, &findings, &forgiven);
        let followers = Followers::start(&world, &dice).await;
        let trial = Self {
            world,
            discovery,
            contests,
            followers,
            forgiven,
            findings,
            begun: Instant::now(),
            done: Vec::new(),
            worst: Duration::ZERO,
        };
        trial.settle().await;
        trial
    }

    async fn step(&mut self, at: usize, step: &Step) {
        let after = self.begun.elapsed();
        self.note(format!("{at:>4}. at {after:.1?}: {step}"));
        let forgiven = self.forgiven.clone();
        let forgive = |token| forgiven.add(token);
        let mut wounds = vec![step.fault.strike(&mut self.world, forgive).await];
        if let Some(also) = step.also {
            wounds.push(also.strike(&mut self.world, forgive).await);
        }
        let struck = format!("{wounds:?}");
        let over = Instant::now() + step.lasts;
        // As far as it can be done.
        let _late = timeout_at(over, self.followers.write()).await;
        sleep_until(over).await;
        for wound in wounds {
            wound.heal(&mut self.world, forgive).await;
        }
        self.answers().await;
        let back = self.discovery.back(&self.world, &self.findings).await;
        self.worst = self.worst.max(back);
        self.goes_on().await;
        self.followers.settle(&self.findings).await;
        self.note(format!("      {struck}; registered again after {back:.1?}"));
        sleep(step.rest).await;
    }

    /// Waits until the cluster answers at every site.
    async fn answers(&self) {
        for (at, site) in self.world.sites.iter().enumerate() {
            let asked = timeout(LONG, async {
                while site.store.range(Range::one("nothing")).await.is_err() {}
            });
            if asked.await.is_err() {
                let finding = format!("site {at} has no answer after {LONG:?}");
                self.findings.add(finding);
            }
        }
    }

    /// Waits until somebody has each thing, and works.
    async fn goes_on(&self) {
        for stage in self.stages() {
            let before = stage.pieces();
            let begun = Instant::now();
            while stage.pieces() == before {
                if begun.elapsed() > LONG {
                    let finding = format!("nobody works any more; {}", stage.summary());
                    self.findings.add(finding);
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        }
    }

    async fn settle(&self) {
        self.discovery.settle(&self.world, &self.findings).await;
        self.goes_on().await;
    }

    fn stages(&self) -> impl Iterator<Item = &Stage> {
        self.contests.stages.iter()
    }

    fn note(&mut self, line: String) {
        println!("{line}");
        self.done.push(line);
    }

    fn judge(&self, schedule: &Schedule) {
        if let Some(found) = self.findings.all() {
            let (seed, done) = (schedule.seed, self.done.join("\n"));
            panic!("{found}\nseed {seed}, schedule so far:\n{done}");
        }
    }
}
