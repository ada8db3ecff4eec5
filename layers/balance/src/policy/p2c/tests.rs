//! The choice alone: endpoints without services, a clock without a runtime.

use crate::{
    P2c, Policy, Settings,
    facts::Facts,
    policy::{Call, Candidate, Candidates, Usual, Weights},
    skip::Skip,
    stats::Stats,
};
use std::sync::Arc;
use ziggurat_core::{Attempt, Availability, Dice, EndpointId, Reporter, State, Tried};

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;
const LONG_AGO: u64 = SECOND;
const NOW: u64 = 100 * SECOND;

struct Field {
    all: Vec<Candidate>,
    availability: Vec<Availability>,
    skip: Skip,
    usual: Usual,
    policy: P2c,
}

impl Field {
    /// So many endpoints that have answered in 10 ms for a long time.
    fn of(weights: &[u32]) -> Self {
        let mut field = Self::new(weights);
        let weighing = Settings::new().weighing();
        for candidate in &mut field.all {
            candidate.stats().observe(10 * MILLI, LONG_AGO, &weighing);
            candidate.stats().observe(10 * MILLI, NOW, &weighing);
        }
        field
    }

    fn new(weights: &[u32]) -> Self {
        let facts = Arc::new(Facts::new("echo".into(), Settings::new().into(), None));
        let availability: Vec<_> = weights.iter().map(|_| Availability::new()).collect();
        let candidates = weights.iter().enumerate().map(|(n, weight)| {
            let stats = Stats::new(EndpointId::new(format!("e{n}")), Arc::clone(&facts));
            Candidate::new(Arc::new(stats), availability[n].clone(), *weight)
        });
        Self {
            all: candidates.collect(),
            availability,
            skip: Skip::default(),
            usual: Usual::default(),
            policy: P2c::new(Dice::seeded(42)),
        }
    }

    fn report(&self, index: usize, state: State) {
        self.availability[index].report(Reporter::Connection, state);
    }

    fn pick(&self, call: &Call<'_>) -> Option<usize> {
        let weighing = Settings::new().weighing();
        let weights = Weights::of(&self.all);
        let among = Candidates::new(&self.all, &weights, &self.usual, &self.skip, &weighing, NOW);
        self.policy.pick(&among, call)
    }

    /// How often each is picked in 10000 picks.
    fn shares(&self) -> Vec<f64> {
        let mut counts = vec![0.0; self.all.len()];
        for _ in 0..10_000 {
            counts[self.pick(&Call::default()).unwrap()] += 1e-4;
        }
        counts
    }
}

#[test]
fn nothing_is_picked_of_nothing() {
    assert_eq!(Field::of(&[]).pick(&Call::default()), None);
    let field = Field::of(&[1, 1, 1]);
    (0..3).for_each(|n| field.report(n, State::Down));
    assert_eq!(field.pick(&Call::default()), None);
}

#[test]
fn equals_get_equal_shares() {
    let shares = Field::of(&[1; 5]).shares();
    assert!(
        shares.iter().all(|share| (share - 0.2).abs() < 0.02),
        "{shares:?}"
    );
}

#[test]
fn the_lighter_of_two_is_taken_every_time() {
    let field = Field::of(&[1, 1]);
    field.all[0].stats().start(NOW);
    assert!(field.shares()[1] > 0.9999);
}

#[test]
fn the_heaviest_load_of_many_is_never_taken() {
    let field = Field::of(&[1; 10]);
    field.all[3].stats().start(NOW);
    let shares = field.shares();
    assert!(
        shares[3] == 0.0 && shares.iter().sum::<f64>() > 0.999,
        "{shares:?}"
    );
}

#[test]
fn one_that_is_ready_among_a_thousand_is_found() {
    let field = Field::of(&[1; 1_000]);
    (0..1_000).for_each(|n| field.report(n, State::Down));
    field.report(789, State::Ready);
    assert_eq!(field.pick(&Call::default()), Some(789));
}

#[test]
fn ready_goes_before_idle_and_idle_before_nothing() {
    let field = Field::of(&[1, 1, 1]);
    field.report(0, State::Connecting);
    field.report(1, State::Idle);
    field.all[2].stats().start(NOW);
    assert_eq!(field.pick(&Call::default()), Some(2));
    field.report(2, State::Ejected);
    assert_eq!(field.pick(&Call::default()), Some(1));
}

#[test]
fn what_was_found_busy_or_broken_is_passed_over() {
    let mut field = Field::of(&[1, 1]);
    field.skip.push(&EndpointId::new("e0"));
    assert!(field.shares()[1] > 0.9999);
    field.skip.push(&EndpointId::new("e1"));
    assert_eq!(field.pick(&Call::default()), None);
}

#[test]
fn a_second_attempt_goes_elsewhere_unless_there_is_nowhere_else() {
    for endpoints in [2, 3, 50] {
        let field = Field::of(&vec![1; endpoints]);
        for _ in 0..1_000 {
            let tried = Tried::new();
            let mut words = http::Extensions::new();
            words.insert(Attempt::new(1, tried.clone()));
            let first = field.pick(&Call::new(Some(&words))).unwrap();
            Call::new(Some(&words)).note(field.all[first].stats().id());
            let second = field.pick(&Call::new(Some(&words))).unwrap();
            assert_ne!(first, second);
        }
    }
    let alone = Field::of(&[1]);
    let tried = Tried::new();
    tried.note(&EndpointId::new("e0"));
    let mut words = http::Extensions::new();
    words.insert(Attempt::new(2, tried));
    assert_eq!(alone.pick(&Call::new(Some(&words))), Some(0));
}

#[test]
fn weights_are_shares() {
    let fields: [&[u32]; 6] = [
        &[99, 1],
        &[4, 1],
        &[99, 1, 1],
        &[10, 10, 1],
        &[1, 1, 1, 1, 4],
        &[1, 1, 1, 1_000, 1, 1, 1, 1, 1, 1],
    ];
    for weights in fields {
        let total: u32 = weights.iter().sum();
        for spread in [0, MILLI / 4] {
            let field = Field::of(weights);
            let weighing = Settings::new().weighing();
            // The lighter ones are a little quicker, as those are that are called less often.
            for (one, weight) in field.all.iter().zip(weights) {
                let latency = 11 * MILLI - if *weight == 1 { spread } else { 0 };
                one.stats().observe(latency, NOW, &weighing);
            }
            for (share, weight) in field.shares().iter().zip(weights) {
                let due = f64::from(*weight) / f64::from(total);
                assert!((share - due).abs() < 0.02, "{weights:?}: {share} not {due}");
            }
        }
    }
}

#[test]
fn a_heavy_one_that_does_badly_is_left_to_the_light_ones() {
    for bad in [0, 1] {
        let mut field = Field::of(&[20, 20, 1]);
        field.all.swap(1, 2);
        let weighing = Settings::new().weighing();
        if bad == 0 {
            // Slow: the other heavy one gets its share.
            field.all[0].stats().observe(SECOND, NOW, &weighing);
        } else {
            (0..10).for_each(|_| field.all[0].stats().fail(NOW, &weighing));
            field.all[0].stats().observe(MILLI, NOW, &weighing);
        }
        let shares = field.shares();
        assert!(shares[0] < 0.02, "{shares:?}");
    }
    let field = Field::of(&[99, 1]);
    (0..10).for_each(|_| field.all[0].stats().fail(NOW, &Settings::new().weighing()));
    assert!(field.shares()[0] < 0.02, "far worse than its weight");
}

#[test]
fn who_is_ejected_is_drawn_as_the_last_resort() {
    let field = Field::of(&[1; 3]);
    field.report(0, State::Down);
    for ejected in [0, 1, 2] {
        field.availability[ejected].report(Reporter::Health, State::Ejected);
    }
    let (weighing, weights) = (Settings::new().weighing(), Weights::of(&field.all));
    let among = Candidates::new(
        &field.all,
        &weights,
        &field.usual,
        &field.skip,
        &weighing,
        NOW,
    );
    assert_eq!(field.policy.pick(&among, &Call::default()), None);
    let mut picked = [0; 3];
    for _ in 0..1_000 {
        let among = among.as_last_resort();
        picked[field.policy.pick(&among, &Call::default()).unwrap()] += 1;
    }
    assert!(
        picked[0] == 0 && picked[1] > 400 && picked[2] > 400,
        "{picked:?}"
    );
}

#[test]
fn a_new_one_is_probed_and_then_gets_a_tenth_of_its_share() {
    let field = Field::of(&[1; 10]);
    let weighing = Settings::new().weighing();
    let new = Stats::new(EndpointId::new("new"), {
        Arc::new(Facts::new("echo".into(), Settings::new().into(), None))
    });
    let mut field = field;
    field.all[0] = Candidate::new(Arc::new(new), Availability::new(), 1);
    let shares = field.shares();
    assert!(shares[0] > 0.15, "the probe goes out at once: {shares:?}");
    field.all[0].stats().start(NOW);
    assert_eq!(field.shares()[0], 0.0, "and is the only one");
    field.all[0].stats().observe(10 * MILLI, NOW, &weighing);
    field.all[0].stats().finish();
    let shares = field.shares();
    assert!((0.002..0.03).contains(&shares[0]), "{shares:?}");
}

#[test]
fn of_two_bad_ones_neither_is_taken_while_others_are_well() {
    let field = Field::of(&[1; 6]);
    let weighing = Settings::new().weighing();
    for bad in [1, 4] {
        field.all[bad].stats().observe(SECOND, NOW, &weighing);
    }
    let shares = field.shares();
    assert!(shares[1] + shares[4] < 0.005, "{shares:?}");
    for good in [0, 2, 3, 5] {
        field.report(good, State::Down);
    }
    let shares = field.shares();
    assert!(shares[1] > 0.4 && shares[4] > 0.4, "{shares:?}");
}

#[test]
fn all_new_at_once_get_equal_shares() {
    let field = Field::new(&[1; 10]);
    let weighing = Settings::new().weighing();
    for candidate in &field.all {
        candidate.stats().observe(10 * MILLI, NOW, &weighing);
    }
    let shares = field.shares();
    assert!(
        shares.iter().all(|share| (share - 0.1).abs() < 0.02),
        "{shares:?}"
    );
}
