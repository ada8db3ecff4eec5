//! Whom to believe in, and for how long.

use super::*;
use ziggurat_core::{Dice, clock};

const GRACE: Duration = Duration::from_secs(10);

fn instance(n: usize) -> Arc<Instance> {
    let port = u16::try_from(n + 1).unwrap();
    Arc::new(Instance::new("echo", &format!("i{n:03}"), "127.0.0.1", port).unwrap())
}

fn id(n: usize) -> EndpointId {
    instance(n).id().clone()
}

fn all(range: std::ops::Range<usize>) -> Change {
    Change::All(range.map(instance).collect())
}

fn of(range: std::ops::Range<usize>, now: Instant) -> Members {
    let mut members = Members::new(GRACE);
    members.apply(all(range), |_| true);
    assert_eq!(members.settle(now), Settled::Believed);
    members
}

fn believed(members: &Members) -> usize {
    members.all().count()
}

#[test]
fn an_emptied_set_is_held_for_the_grace_period_and_no_longer() {
    let now = clock::now();
    let mut members = of(0..3, now);
    members.apply(all(0..0), |_| true);
    assert_eq!(members.settle(now), Settled::Held);
    assert_eq!(members.settle_at(), Some(now + GRACE));
    // What is said meanwhile does not prolong it.
    members.apply(all(0..0), |_| true);
    assert_eq!(members.settle(now + GRACE / 2), Settled::StillHeld);
    assert_eq!(believed(&members), 3);
    assert_eq!(members.settle(now + GRACE), Settled::Believed);
    assert_eq!(believed(&members), 0);
    assert_eq!(members.settle_at(), None);
}

#[test]
fn the_last_instance_that_leaves_stays_for_the_grace_period() {
    let now = clock::now();
    let mut members = of(0..1, now);
    members.apply(Change::Remove(id(0)), |_| true);
    assert_eq!(members.settle(now), Settled::Held);
    assert_eq!(members.settle(now + GRACE), Settled::Believed);
    assert_eq!(believed(&members), 0);
}

#[test]
fn four_fifths_that_vanish_are_held_and_less_is_not() {
    let now = clock::now();
    for (before, after, settled) in [
        (10, 2, Settled::Held),
        (10, 3, Settled::Believed),
        (5, 1, Settled::Held),
        (4, 1, Settled::Believed),
    ] {
        let mut members = of(0..before, now);
        members.apply(all(0..after), |_| true);
        assert_eq!(members.settle(now), settled, "{before} to {after}");
    }
}

#[test]
fn instances_that_vanish_one_by_one_within_the_grace_period_add_up() {
    let now = clock::now();
    let mut members = of(0..10, now);
    let mut at = now;
    for n in 0..7 {
        at += GRACE / 100;
        members.apply(Change::Remove(id(n)), |_| true);
        assert_eq!(members.settle(at), Settled::Believed, "{n}");
    }
    members.apply(Change::Remove(id(7)), |_| true);
    assert_eq!(members.settle(at), Settled::Held);
    assert_eq!(believed(&members), 3);
}

#[test]
fn a_service_that_is_scaled_down_slowly_is_believed() {
    let mut at = clock::now();
    let mut members = of(0..10, at);
    for n in 0..9 {
        at += GRACE + Duration::from_secs(1);
        members.apply(Change::Remove(id(n)), |_| true);
        assert_eq!(members.settle(at), Settled::Believed, "{n}");
    }
}

#[test]
fn those_who_come_back_while_held_never_left_and_new_ones_come_at_once() {
    let now = clock::now();
    let mut members = of(0..10, now);
    members.apply(all(0..0), |_| true);
    members.settle(now);
    members.apply(Change::Put(instance(20)), |_| true);
    assert_eq!(members.settle(now), Settled::StillHeld);
    assert_eq!(believed(&members), 11);
    members.apply(all(0..9), |_| true);
    assert_eq!(members.settle(now), Settled::Believed);
    assert_eq!(believed(&members), 9);
    assert_eq!(members.settle_at(), None);
}

#[test]
fn after_a_hold_the_small_set_is_the_measure() {
    let now = clock::now();
    let mut members = of(0..100, now);
    members.apply(all(0..4), |_| true);
    assert_eq!(members.settle(now), Settled::Held);
    assert_eq!(members.settle(now + GRACE), Settled::Believed);
    members.apply(Change::Remove(id(0)), |_| true);
    assert_eq!(members.settle(now + GRACE), Settled::Believed);
    assert_eq!(believed(&members), 3);
}

#[test]
fn whoever_says_goodbye_is_gone_at_once_and_never_suspicious() {
    let now = clock::now();
    let mut members = of(0..10, now);
    for n in 0..9 {
        members.apply(Change::Left(id(n)), |_| true);
    }
    assert_eq!(members.settle(now), Settled::Believed);
    assert_eq!(believed(&members), 1);
    // Nor do those who left make it suspicious that somebody vanishes after them.
    members.apply(all(5..9), |_| true);
    members.apply(Change::Left(id(5)), |_| true);
    members.apply(Change::Remove(id(6)), |_| true);
    assert_eq!(members.settle(now), Settled::Believed);
    assert_eq!(believed(&members), 2);
    members.apply(Change::Left(id(7)), |_| true);
    members.apply(Change::Left(id(8)), |_| true);
    assert_eq!(members.settle(now), Settled::Believed);
    assert_eq!((believed(&members), members.settle_at()), (0, None));
}

#[test]
fn a_goodbye_among_many_who_vanish_is_heard_and_the_others_stay() {
    let now = clock::now();
    let mut members = of(0..10, now);
    members.apply(all(0..0), |_| true);
    assert_eq!(members.settle(now), Settled::Held);
    members.apply(Change::Left(id(3)), |_| true);
    assert_eq!(members.settle(now), Settled::StillHeld);
    assert_eq!(believed(&members), 9);
    for n in 0..10 {
        members.apply(Change::Left(id(n)), |_| true);
    }
    assert_eq!(members.settle(now), Settled::Believed);
    assert_eq!(believed(&members), 0);
}

#[test]
fn half_that_say_goodbye_hide_nobody_who_vanishes() {
    let now = clock::now();
    let mut members = of(0..20, now);
    for n in 0..10 {
        members.apply(Change::Left(id(n)), |_| true);
    }
    for n in 10..18 {
        members.apply(Change::Remove(id(n)), |_| true);
    }
    assert_eq!(members.settle(now), Settled::Held);
    assert_eq!(believed(&members), 10);
}

#[test]
fn an_instance_that_no_longer_passes_the_filter_leaves() {
    let now = clock::now();
    let mut members = of(0..3, now);
    let keep = |one: &Instance| one.metadata().is_empty();
    let marked = Instance::clone(&instance(0)).with_metadata("canary", "yes");
    members.apply(Change::Put(marked.into()), keep);
    assert_eq!(members.settle(now), Settled::Believed);
    assert_eq!(believed(&members), 2);
}

#[test]
fn one_that_is_there_and_does_not_pass_the_filter_is_not_missing() {
    let now = clock::now();
    let keep = |one: &Instance| one.metadata().is_empty();
    let marked = |n| Arc::new(Instance::clone(&instance(n)).with_metadata("canary", "yes"));
    for said in [
        (0..6).map(|n| Change::Put(marked(n))).collect(),
        vec![Change::All((0..6).map(marked).collect())],
    ] {
        let mut members = of(0..6, now);
        said.into_iter()
            .for_each(|change| members.apply(change, keep));
        // The set is empty, and nobody vanished.
        assert_eq!(members.settle(now), Settled::Believed);
        assert_eq!(believed(&members), 0);
    }
    // Who vanishes beside them still may be doubted.
    let mut members = of(0..6, now);
    members.apply(Change::All(vec![marked(0), marked(1)]), keep);
    assert_eq!(members.settle(now), Settled::Held);
    assert_eq!(believed(&members), 4);
}

#[test]
fn a_storm_of_changes_ends_where_the_source_ends() {
    let (dice, mut now) = (Dice::seeded(1), clock::now());
    let mut members = of(0..0, now);
    let mut truth = Set::new();
    for _ in 0..5_000 {
        let n = dice.below(20);
        let change = match dice.below(10) {
            0 => {
                let end = dice.below(20);
                truth = (0..end).map(|n| (id(n), instance(n))).collect();
                all(0..end)
            }
            1..4 => {
                truth.remove(&id(n));
                Change::Remove(id(n))
            }
            _ => {
                truth.insert(id(n), instance(n));
                Change::Put(instance(n))
            }
        };
        members.apply(change, |_| true);
        now += dice.duration(Duration::ZERO..GRACE / 4);
        members.settle(now);
        // Nobody is ever lost, and who is believed in too long is leaving.
        assert!(truth.values().all(|one| members.all().any(|m| m == one)));
        assert_eq!(members.said(), truth.len());
        assert!(members.held() == 0 || members.settle_at().is_some_and(|at| at > now));
    }
    members.settle(now + GRACE);
    assert!(members.all().eq(truth.values()));
}
