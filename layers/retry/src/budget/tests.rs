//! The budget as a whole.

use super::*;

#[test]
fn clones_share_one_score() {
    let (budget, rules) = (Budget::new(), Rules::ratio(0.0, 1).unwrap());
    let now = clock::now();
    let permits: Vec<_> = (0..10)
        .map_while(|_| budget.clone().withdraw(&rules, now))
        .collect();
    assert_eq!(permits.len(), 10);
    assert!(budget.withdraw(&rules, now).is_none());
    assert!(Budget::new().withdraw(&rules, now).is_some());
}

#[test]
fn only_what_was_not_made_is_paid_back() {
    let (budget, rules) = (Budget::new(), Rules::ratio(1.0, 0).unwrap());
    let now = clock::now();
    drop(budget.call(&rules, now));
    drop(budget.withdraw(&rules, now).unwrap());
    budget.withdraw(&rules, now).unwrap().spend();
    assert!(budget.withdraw(&rules, now).is_none());
}

#[test]
fn a_permit_is_in_flight_until_it_is_dropped() {
    let rules = Rules::ratio(4.0, 5_000).unwrap().in_flight(1, 0.5).unwrap();
    let (budget, now) = (Budget::new(), clock::now());
    let mut permit = budget.withdraw(&rules, now).unwrap();
    permit.spend();
    assert!(budget.withdraw(&rules, now).is_none());
    let calls: Vec<_> = (0..4).map(|_| budget.call(&rules, now)).collect();
    let second = budget.withdraw(&rules, now).unwrap();
    assert!(budget.withdraw(&rules, now).is_none());
    drop((calls, second));
    assert!(budget.withdraw(&rules, now).is_none());
    drop(permit);
    assert!(budget.withdraw(&rules, now).is_some());
}

#[test]
fn an_empty_purse_takes_no_place() {
    let rules = Rules::ratio(0.0, 0).unwrap().in_flight(1, 0.0).unwrap();
    let (budget, now) = (Budget::new(), clock::now());
    assert!(budget.withdraw(&rules, now).is_none());
    let rich = Rules::ratio(0.0, 1).unwrap().in_flight(1, 0.0).unwrap();
    assert!(
        budget
            .withdraw(&rich, now + std::time::Duration::from_secs(10))
            .is_some()
    );
}

#[test]
fn throttling_counts_failures_and_successes() {
    let (budget, rules) = (Budget::new(), Rules::throttling(4, 0.5).unwrap());
    let now = clock::now();
    budget.failed(&rules);
    assert!(budget.withdraw(&rules, now).is_some());
    budget.failed(&rules);
    assert!(budget.withdraw(&rules, now).is_none());
    budget.succeeded(&rules);
    assert!(budget.withdraw(&rules, now).is_some());
}
