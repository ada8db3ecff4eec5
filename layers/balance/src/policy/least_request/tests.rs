//! The fewest calls, for the weight.

use super::*;
use crate::policy::{
    Candidate,
    field::{Field, NOW, stats, trying, weighing},
};
use ziggurat_core::{EndpointId, State, Tried};

fn of(weights: &[u32]) -> Field<LeastRequest> {
    Field::of(LeastRequest::new().dice(Dice::seeded(1)), weights)
}

#[test]
fn of_two_the_idle_one_is_taken() {
    let field = of(&[1, 1]);
    field.all[0].stats().start(NOW, weighing().decay);
    assert!(field.shares()[1] > 0.99);
}

#[test]
fn the_busiest_of_all_is_never_taken() {
    let field = of(&[1; 10]);
    (0..3).for_each(|_| field.all[4].stats().start(NOW, weighing().decay));
    assert_eq!(field.shares()[4], 0.0);
}

#[test]
fn more_choices_find_the_idle_one_more_often() {
    let idle_share = |choices| {
        let policy = LeastRequest::new().dice(Dice::seeded(2));
        let policy = policy.choices(NonZeroUsize::new(choices).unwrap()).unwrap();
        let field = Field::of(policy, &[1; 10]);
        for one in &field.all[1..] {
            one.stats().start(NOW, weighing().decay);
        }
        field.shares()[0]
    };
    let shares = [2, 5, 10].map(idle_share);
    assert!(shares[0] < shares[1] && shares[1] < shares[2], "{shares:?}");
}

#[test]
fn those_that_are_idle_come_as_often_as_they_are_heavy() {
    for weights in [&[4, 1][..], &[99, 1], &[6, 6, 1, 1, 1, 1, 1, 1, 1, 1]] {
        let (shares, all) = (of(weights).shares(), weights.iter().sum::<u32>());
        for (share, weight) in shares.into_iter().zip(weights) {
            let due = f64::from(*weight) / f64::from(all);
            assert!(
                (share - due).abs() < 0.02,
                "{share} of {weights:?}, not {due}"
            );
        }
    }
}

#[test]
fn the_heavy_one_has_more_before_it_looks_as_busy() {
    let field = of(&[4, 1]);
    (0..3).for_each(|_| field.all[0].stats().start(NOW, weighing().decay));
    field.all[1].stats().start(NOW, weighing().decay);
    assert!(field.shares()[0] > 0.9, "3/4 is less than 1");
    (0..2).for_each(|_| field.all[0].stats().start(NOW, weighing().decay));
    assert!(field.shares()[1] > 0.3, "5/4 is more than 1");
}

#[test]
fn who_is_down_tried_or_being_tried_out_is_passed_over() {
    let mut field = of(&[1; 4]);
    field.report(0, State::Down);
    field.all[1] = Candidate::new(stats("new"), field.availability[1].clone(), 1);
    field.all[1].stats().start(NOW, weighing().decay);
    let tried = Tried::new();
    tried.note(&EndpointId::new("e2"));
    for pick in field.picks(1_000, Some(&trying(&tried)), false) {
        assert_eq!(pick, Some(3));
    }
    (1..4).for_each(|n| field.report(n, State::Down));
    assert_eq!(field.pick(), None);
    assert_eq!(of(&[]).pick(), None);
}

#[test]
fn choices_have_bounds() {
    let choices = |n| LeastRequest::new().choices(NonZeroUsize::new(n).unwrap());
    assert!(choices(1).is_err() && choices(11).is_err());
    assert!(choices(2).is_ok() && choices(10).is_ok());
}
