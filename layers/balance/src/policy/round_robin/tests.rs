//! Turns, and who is passed over.

use super::*;
use crate::policy::{
    Candidate,
    field::{Field, MILLI, NOW, stats, trying, weighing},
};
use ziggurat_core::{Availability, EndpointId, State, Tried};

fn of(weights: &[u32]) -> Field<RoundRobin> {
    Field::of(RoundRobin::weighted().dice(Dice::seeded(1)), weights)
}

#[test]
fn all_take_turns() {
    let picks = of(&[1; 5]).picks(50, None, false);
    let first = picks[0].unwrap();
    for (nth, pick) in picks.iter().enumerate() {
        assert_eq!(*pick, Some((first + nth) % 5));
    }
}

#[test]
fn turns_go_by_weight_or_not() {
    let weights = [5, 3, 2];
    let shares = of(&weights).shares();
    for (share, weight) in shares.iter().zip(weights) {
        assert!(
            (share - f64::from(weight) / 10.0).abs() < 0.001,
            "{shares:?}"
        );
    }
    let shares = Field::of(RoundRobin::plain(), &weights).shares();
    assert!(shares.iter().all(|share| (share - 1.0 / 3.0).abs() < 0.001));
}

#[test]
fn a_new_one_is_called_once_and_then_gets_a_tenth_of_its_share() {
    let mut field = of(&[1; 10]);
    field.all[0] = Candidate::new(stats("new"), Availability::new(), 1);
    assert!(field.shares()[0] > 0.09, "until somebody has gone");
    field.all[0].stats().start(NOW, weighing().decay);
    assert_eq!(field.shares()[0], 0.0, "and nobody while he is away");
    field.all[0]
        .stats()
        .observe(10 * MILLI, NOW, weighing().decay);
    field.all[0].stats().finish();
    let share = field.shares()[0];
    assert!((0.005..0.02).contains(&share), "{share}");
}

#[test]
fn calls_that_come_while_all_are_new_go_to_all_of_them() {
    for count in [2, 4, 8, 16] {
        let field = Field::new(RoundRobin::plain().dice(Dice::seeded(1)), &vec![1; count]);
        for new in &field.all {
            new.stats().start(NOW, weighing().decay);
        }
        let fair = 1.0 / count as f64;
        for share in field.shares() {
            assert!(
                (0.8 * fair..1.2 * fair).contains(&share),
                "{share} of {count}"
            );
        }
    }
}

#[test]
fn who_is_down_or_tried_is_passed_over() {
    let field = of(&[1; 4]);
    field.report(0, State::Down);
    field.report(1, State::Idle);
    let tried = Tried::new();
    tried.note(&EndpointId::new("e2"));
    for pick in field.picks(100, Some(&trying(&tried)), false) {
        assert_eq!(pick, Some(3));
    }
    field.report(3, State::Down);
    let second = field.pick_for(Some(&trying(&tried)));
    assert_eq!(second, Some(2), "better there again than nowhere");
    field.report(2, State::Down);
    assert_eq!(field.pick(), Some(1), "and asleep before nobody");
    field.report(1, State::Down);
    assert_eq!(field.pick(), None);
    assert_eq!(of(&[]).pick(), None);
}

#[test]
fn one_that_is_ready_among_a_thousand_is_found() {
    let field = of(&[1; 1_000]);
    (0..1_000).for_each(|n| field.report(n, State::Down));
    field.report(789, State::Ready);
    assert_eq!(field.pick(), Some(789));
}
