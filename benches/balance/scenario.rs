//! What is simulated.

use super::backend::Kind::{self, Cold, Far, FastFailing, Good, Slow, Stalled};
use std::time::Duration;

/// Servers, and what happens to them.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) backends: Vec<Kind>,
    /// Calls a second, as a Poisson process.
    pub(crate) rate: f64,
    /// So many at a time, or any number.
    pub(crate) serves: Option<usize>,
    /// Do those that are far away say that they are in other zones?
    pub(crate) zones: bool,
    /// After the warm-up, as parts of the time that is measured.
    pub(crate) changes: Vec<(f64, Change)>,
}

/// Something that happens to the registry.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Add(Kind),
    /// The `n`th that was added, from 0.
    Remove(usize),
    /// The same stays registered, and its connections end.
    Die(usize),
    Revive(usize),
}

pub(crate) const TEN_GOOD: &str = "10 good";
pub(crate) const FAST_FAILING: &str = "9 good, 1 fast-failing";
pub(crate) const FAST_FAILING_OF_TWO: &str = "1 good, 1 fast-failing";
pub(crate) const STALLED: &str = "9 good, 1 stalled";
pub(crate) const THREE_BAD: &str = "7 good, 1 slow, 1 fast-failing, 1 stalled";
pub(crate) const DEPLOY: &str = "rolling deploy of 10";
pub(crate) const ZONES: &str = "3 zones of 4";
pub(crate) const ZONE_DIES: &str = "3 zones of 4, the own one dies and comes back";
pub(crate) const ZONE_SMALL: &str = "3 zones, 2 in the own one and 8 in the others";
pub(crate) const HALF_SLOW: &str = "5 good, 5 slow by 3x";

/// All scenarios, in the order in which they are shown.
pub(crate) fn all() -> impl Iterator<Item = Scenario> {
    let three_bad = good(7, &[Slow(10.0), FastFailing, Stalled]);
    let far = Far(Duration::from_millis(10));
    [
        Scenario::new(TEN_GOOD, good(10, &[])),
        Scenario::new("9 good, 1 slow", good(9, &[Slow(10.0)])),
        Scenario::new(FAST_FAILING, good(9, &[FastFailing])),
        Scenario::new(FAST_FAILING_OF_TWO, good(1, &[FastFailing])),
        Scenario::new(STALLED, good(9, &[Stalled])),
        Scenario::new("1 good, 1 stalled, 50 a second", good(1, &[Stalled])).at(50.0),
        Scenario::new(THREE_BAD, three_bad.clone()),
        Scenario::new("the same, each serves 3 at a time", three_bad).serving(3),
        Scenario::new(HALF_SLOW, good(5, &[Slow(3.0); 5])),
        Scenario::new("1 cold joins 10 warm", good(10, &[])).then([(0.1, Change::Add(Cold(30.0)))]),
        Scenario::new(DEPLOY, good(10, &[])).then(deploy()),
        Scenario::new("4 near, 8 in two zones 10 ms away", good(4, &[far; 8])),
        Scenario::new(ZONES, good(4, &[far; 8])).in_zones(),
        Scenario::new(ZONE_DIES, good(4, &[far; 8]))
            .in_zones()
            .then(outage()),
        Scenario::new(ZONE_SMALL, good(2, &[far; 8])).in_zones(),
    ]
    .into_iter()
}

// === impl Scenario ===

impl Scenario {
    fn new(name: &'static str, backends: Vec<Kind>) -> Self {
        Self {
            name,
            backends,
            rate: 1_000.0,
            serves: None,
            zones: false,
            changes: Vec::new(),
        }
    }

    const fn at(mut self, rate: f64) -> Self {
        self.rate = rate;
        self
    }

    const fn serving(mut self, at_a_time: usize) -> Self {
        self.serves = Some(at_a_time);
        self
    }

    const fn in_zones(mut self) -> Self {
        self.zones = true;
        self
    }

    fn then(mut self, changes: impl IntoIterator<Item = (f64, Change)>) -> Self {
        self.changes = changes.into_iter().collect();
        self
    }
}

fn good(n: usize, others: &[Kind]) -> Vec<Kind> {
    [vec![Good; n], others.to_vec()].concat()
}

/// Each old one goes soon after a new one, slow at first by 3x, has come.
fn deploy() -> impl Iterator<Item = (f64, Change)> {
    (0..10).flat_map(|nth| {
        let begin = 0.05 + nth as f64 * 0.08;
        let add = (begin, Change::Add(Cold(3.0)));
        [add, (begin + 0.05, Change::Remove(nth))]
    })
}

/// The first four are away for a third of the time.
fn outage() -> impl Iterator<Item = (f64, Change)> {
    let die = (0..4).map(|nth| (0.3, Change::Die(nth)));
    die.chain((0..4).map(|nth| (0.6, Change::Revive(nth))))
}
