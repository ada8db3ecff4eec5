//! Keys, and where they go when somebody leaves.

use super::*;
use crate::policy::field::{Field, NOW, keyed, trying, weighing};
use ziggurat_core::{EndpointId, State, Tried};

const KEYS: u64 = 10_000;

fn of(weights: &[u32]) -> Field<RingHash> {
    Field::of(RingHash::new().dice(Dice::seeded(1)), weights)
}

/// Where every key goes.
fn homes(field: &Field<RingHash>) -> Vec<usize> {
    let home = |key| field.pick_for(Some(&keyed(key))).unwrap();
    (0..KEYS / 10).map(home).collect()
}

#[test]
fn equal_keys_go_to_one_endpoint() {
    let field = of(&[1; 10]);
    assert_eq!(homes(&field), homes(&field));
}

#[test]
fn keys_spread_by_weight() {
    let weights = [1, 1, 2, 4];
    let field = of(&weights);
    let homes = homes(&field);
    for (index, weight) in weights.iter().enumerate() {
        let keys = homes.iter().filter(|home| **home == index).count();
        let share = keys as f64 / homes.len() as f64;
        let due = f64::from(*weight) / 8.0;
        assert!(
            (share / due - 1.0).abs() < 0.25,
            "{index}: {share} of {due}"
        );
    }
}

#[test]
fn when_one_is_down_only_its_keys_move() {
    let field = of(&[1; 10]);
    let before = homes(&field);
    field.report(3, State::Down);
    for (was, is) in before.iter().zip(homes(&field)) {
        assert!(*was == is || *was == 3 && is != 3);
    }
}

#[test]
fn when_one_leaves_only_its_keys_move() {
    let mut field = of(&[1; 10]);
    let id = |field: &Field<RingHash>, index: usize| field.all[index].stats().id().clone();
    let before: Vec<_> = homes(&field)
        .into_iter()
        .map(|home| id(&field, home))
        .collect();
    let gone = id(&field, 3);
    field.all.swap_remove(3);
    for (was, is) in before.iter().zip(homes(&field)) {
        assert!(*was == id(&field, is) || *was == gone);
    }
}

#[test]
fn a_second_attempt_goes_to_the_next_one_on_the_ring() {
    let field = of(&[1; 5]);
    let first = field.pick_for(Some(&keyed(7))).unwrap();
    let tried = Tried::new();
    tried.note(field.all[first].stats().id());
    let mut words = trying(&tried);
    words.extend(keyed(7));
    let second = field.pick_for(Some(&words)).unwrap();
    assert_ne!(first, second);
    assert_eq!(field.pick_for(Some(&words)), Some(second));
    field.report(first, State::Down);
    assert_eq!(
        field.pick_for(Some(&keyed(7))),
        Some(second),
        "as when it is down"
    );

    let alone = of(&[1]);
    tried.note(&EndpointId::new("e0"));
    assert_eq!(alone.pick_for(Some(&trying(&tried))), Some(0));
}

#[test]
fn when_one_is_down_that_has_nearly_the_whole_ring_its_keys_still_have_homes() {
    let mut weights = vec![1; 30];
    weights[0] = 1_000_000;
    let field = of(&weights);
    field.report(0, State::Down);
    let before = homes(&field);
    // What is busy at the moment does not matter.
    for (n, one) in field.all.iter().enumerate() {
        (0..n % 7).for_each(|_| one.stats().start(NOW, weighing().decay));
    }
    assert_eq!(homes(&field), before);
}

#[test]
fn without_a_key_a_call_goes_anywhere() {
    let shares = of(&[1; 5]).shares();
    assert!(shares.iter().all(|share| *share > 0.1), "{shares:?}");
    assert_eq!(of(&[]).pick(), None);
}

#[test]
fn a_key_that_everybody_asks_for_overflows_to_the_next() {
    let policy = RingHash::new().dice(Dice::seeded(1)).bounded(2.0).unwrap();
    let field = Field::of(policy, &[1; 10]);
    let hot = keyed(7);
    for _ in 0..1_000 {
        let index = field.pick_for(Some(&hot)).unwrap();
        field.all[index].stats().start(NOW, weighing().decay);
    }
    let pending: Vec<_> = field.all.iter().map(|one| one.stats().pending()).collect();
    assert!(pending.iter().max().unwrap() < &400, "{pending:?}");
    assert!(RingHash::new().bounded(1.0).is_err());
    assert!(RingHash::new().bounded(f64::NAN).is_err());
}

#[test]
fn a_ring_of_many_has_somebody_for_each() {
    let field = of(&vec![1; 40_000]);
    assert!(field.pick_for(Some(&keyed(1))).is_some());
}

#[test]
fn a_key_is_taken_from_the_request() {
    let policy = RingHash::by(|request: &u64| Some(*request % 2));
    let field = Field::of(RingHash::new(), &[1; 10]);
    let even = Call::new(&2, None);
    let odd = Call::new(&3, None);
    assert_eq!(
        (policy.key.key(&even), policy.key.key(&odd)),
        (Some(0), Some(1))
    );
    assert!(field.pick().is_some());
}
