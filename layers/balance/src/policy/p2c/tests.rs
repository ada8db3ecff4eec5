//! The choice alone: endpoints without services, a clock without a runtime.

use super::P2c;
use crate::policy::{
    Candidate,
    field::{Field, MILLI, NOW, SECOND, stats, trying, weighing},
};
use ziggurat_core::{Availability, Dice, EndpointId, State, Tried};

fn of(weights: &[u32]) -> Field<P2c> {
    Field::of(P2c::new(Dice::seeded(42)), weights)
}

#[test]
fn nothing_is_picked_of_nothing() {
    assert_eq!(of(&[]).pick(), None);
    let field = of(&[1, 1, 1]);
    (0..3).for_each(|n| field.report(n, State::Down));
    assert_eq!(field.pick(), None);
}

#[test]
fn equals_get_equal_shares() {
    let shares = of(&[1; 5]).shares();
    assert!(
        shares.iter().all(|share| (share - 0.2).abs() < 0.02),
        "{shares:?}"
    );
}

#[test]
fn the_lighter_of_two_is_taken_every_time() {
    let field = of(&[1, 1]);
    field.all[0].stats().start(NOW, weighing().decay);
    assert!(field.shares()[1] > 0.9999);
}

#[test]
fn the_heaviest_load_of_many_is_never_taken() {
    let field = of(&[1; 10]);
    field.all[3].stats().start(NOW, weighing().decay);
    let shares = field.shares();
    assert!(
        shares[3] == 0.0 && shares.iter().sum::<f64>() > 0.999,
        "{shares:?}"
    );
}

#[test]
fn one_that_is_ready_among_a_thousand_is_found() {
    let field = of(&[1; 1_000]);
    (0..1_000).for_each(|n| field.report(n, State::Down));
    field.report(789, State::Ready);
    assert_eq!(field.pick(), Some(789));
}

#[test]
fn ready_goes_before_idle_and_idle_before_nothing() {
    let field = of(&[1, 1, 1]);
    field.report(0, State::Connecting);
    field.report(1, State::Idle);
    field.all[2].stats().start(NOW, weighing().decay);
    assert_eq!(field.pick(), Some(2));
    field.report(2, State::Ejected);
    assert_eq!(field.pick(), Some(1));
}

#[test]
fn what_was_found_busy_or_broken_is_passed_over() {
    let mut field = of(&[1, 1]);
    field.skip.push(&EndpointId::new("e0"));
    assert!(field.shares()[1] > 0.9999);
    field.skip.push(&EndpointId::new("e1"));
    assert_eq!(field.pick(), None);
}

#[test]
fn a_second_attempt_goes_elsewhere_unless_there_is_nowhere_else() {
    for endpoints in [2, 3, 50] {
        let field = of(&vec![1; endpoints]);
        for _ in 0..1_000 {
            let tried = Tried::new();
            let words = trying(&tried);
            let first = field.pick_for(Some(&words)).unwrap();
            tried.note(field.all[first].stats().id());
            let second = field.pick_for(Some(&words)).unwrap();
            assert_ne!(first, second);
        }
    }
    let alone = of(&[1]);
    let tried = Tried::new();
    tried.note(&EndpointId::new("e0"));
    assert_eq!(alone.pick_for(Some(&trying(&tried))), Some(0));
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
            let field = of(weights);
            let weighing = weighing();
            // The lighter ones are a little quicker, as those are that are called less often.
            for (one, weight) in field.all.iter().zip(weights) {
                let latency = 11 * MILLI - if *weight == 1 { spread } else { 0 };
                one.stats().observe(latency, NOW, weighing.decay);
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
        let mut field = of(&[20, 20, 1]);
        field.all.swap(1, 2);
        let weighing = weighing();
        if bad == 0 {
            // Slow: the other heavy one gets its share.
            field.all[0].stats().observe(SECOND, NOW, weighing.decay);
        } else {
            (0..10).for_each(|_| field.all[0].stats().fail(NOW, weighing.decay));
            field.all[0].stats().observe(MILLI, NOW, weighing.decay);
        }
        let shares = field.shares();
        assert!(shares[0] < 0.02, "{shares:?}");
    }
    let field = of(&[99, 1]);
    (0..10).for_each(|_| field.all[0].stats().fail(NOW, weighing().decay));
    assert!(field.shares()[0] < 0.02, "far worse than its weight");
}

#[test]
fn who_is_ejected_is_drawn_as_the_last_resort() {
    let field = of(&[1; 3]);
    field.report(0, State::Down);
    for ejected in [0, 1, 2] {
        field.eject(ejected);
    }
    assert_eq!(field.pick(), None);
    let mut picked = [0; 3];
    for _ in 0..1_000 {
        picked[field.last_resort().unwrap()] += 1;
    }
    assert!(
        picked[0] == 0 && picked[1] > 400 && picked[2] > 400,
        "{picked:?}"
    );
}

#[test]
fn a_new_one_is_probed_and_then_gets_a_tenth_of_its_share() {
    let mut field = of(&[1; 10]);
    let weighing = weighing();
    field.all[0] = Candidate::new(stats("new"), Availability::new(), 1);
    let shares = field.shares();
    assert!(shares[0] > 0.15, "the probe goes out at once: {shares:?}");
    field.all[0].stats().start(NOW, weighing.decay);
    assert_eq!(field.shares()[0], 0.0, "and is the only one");
    field.all[0]
        .stats()
        .observe(10 * MILLI, NOW, weighing.decay);
    field.all[0].stats().finish();
    let shares = field.shares();
    assert!((0.002..0.03).contains(&shares[0]), "{shares:?}");
}

#[test]
fn of_two_bad_ones_neither_is_taken_while_others_are_well() {
    let field = of(&[1; 6]);
    let weighing = weighing();
    for bad in [1, 4] {
        field.all[bad].stats().observe(SECOND, NOW, weighing.decay);
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
    let field = Field::new(P2c::new(Dice::seeded(42)), &[1; 10]);
    let weighing = weighing();
    for candidate in &field.all {
        candidate.stats().observe(10 * MILLI, NOW, weighing.decay);
    }
    let shares = field.shares();
    assert!(
        shares.iter().all(|share| (share - 0.1).abs() < 0.02),
        "{shares:?}"
    );
}
