//! Who gets a slot, and when.

use super::*;
use crate::slots::NoSlot;
use tokio_test::{assert_pending, assert_ready, task};

/// One that has brought its slots.
fn lane(slots: Arc<Slots>, limit: usize) -> Arc<Lane> {
    let lane = Lane::new(slots, limit, Arc::default());
    lane.bring();
    lane
}

/// A permit, and the slot of the first lane that has one.
async fn take(slots: &Slots, lanes: &[&Arc<Lane>]) -> Result<Slot, NoSlot> {
    slots.permit().await?;
    let slot = lanes.iter().find_map(|lane| lane.enter());
    Ok(slot.expect("who has a permit finds room"))
}

fn now(slots: &Slots, lanes: &[&Arc<Lane>]) -> Slot {
    assert_ready!(task::spawn(take(slots, lanes)).poll()).unwrap()
}

#[test]
fn slots_are_given_in_the_order_they_were_asked_for() {
    let slots = Slots::new(8);
    let lanes = [&lane(Arc::clone(&slots), 1)];
    let first = now(&slots, &lanes);
    let mut second = task::spawn(take(&slots, &lanes));
    let mut third = task::spawn(take(&slots, &lanes));
    assert_pending!(second.poll());
    assert_pending!(third.poll());
    drop(first);
    assert_pending!(third.poll());
    assert_pending!(task::spawn(slots.permit()).poll());
    let second = assert_ready!(second.poll()).unwrap();
    drop(second);
    assert!(assert_ready!(third.poll()).is_ok());
}

#[test]
fn a_dropped_waiter_gives_its_place_back() {
    let slots = Slots::new(1);
    let lanes = [&lane(Arc::clone(&slots), 1)];
    let held = now(&slots, &lanes);
    let mut waits = task::spawn(slots.permit());
    assert_pending!(waits.poll());
    let refused = assert_ready!(task::spawn(slots.permit()).poll());
    assert_eq!(refused.unwrap_err(), NoSlot::Crowded);
    drop(waits);
    let mut waits = task::spawn(slots.permit());
    assert_pending!(waits.poll());
    drop(held);
    assert!(assert_ready!(waits.poll()).is_ok());
}

#[test]
fn a_lowered_limit_holds_as_soon_as_enough_came_back() {
    let slots = Slots::new(8);
    let lane = lane(Arc::clone(&slots), 3);
    let lanes = [&lane];
    let mut held: Vec<_> = (0..2).map(|_| now(&slots, &lanes)).collect();
    lane.resize(1);
    let mut waits = task::spawn(take(&slots, &lanes));
    assert_pending!(waits.poll());
    held.pop();
    assert_pending!(waits.poll());
    held.pop();
    let one = assert_ready!(waits.poll()).unwrap();
    lane.resize(0);
    lane.resize(2);
    let two = now(&slots, &lanes);
    assert_pending!(task::spawn(slots.permit()).poll());
    drop((one, two));
    let _both = [now(&slots, &lanes), now(&slots, &lanes)];
    assert_pending!(task::spawn(slots.permit()).poll());
}

#[test]
fn a_second_lane_serves_who_waits_and_takes_its_share_away_again() {
    let slots = Slots::new(8);
    let first = lane(Arc::clone(&slots), 1);
    let held = now(&slots, &[&first]);
    let mut waits = task::spawn(slots.permit());
    assert_pending!(waits.poll());
    let second = lane(Arc::clone(&slots), 3);
    assert_ready!(waits.poll()).unwrap();
    let on_second = second.enter().unwrap();
    let another = now(&slots, &[&first, &second]);
    // One is free, two are out.
    second.retire();
    second.retire();
    second.resize(7);
    assert!(second.enter().is_none());
    drop((on_second, another));
    assert_pending!(task::spawn(slots.permit()).poll());
    drop(held);
    let _held = now(&slots, &[&first]);
    assert_pending!(task::spawn(slots.permit()).poll());
}

#[test]
fn a_lane_that_goes_with_more_out_than_it_may_have_owes_nobody() {
    let slots = Slots::new(8);
    let first = lane(Arc::clone(&slots), 1);
    let second = lane(Arc::clone(&slots), 3);
    let held: Vec<_> = (0..4).map(|_| now(&slots, &[&second, &first])).collect();
    second.resize(1);
    second.retire();
    drop(held);
    let _one = now(&slots, &[&first]);
    assert_pending!(task::spawn(slots.permit()).poll());
}

#[test]
fn a_lane_that_has_more_out_than_it_may_keeps_nobody_from_another() {
    let slots = Slots::new(8);
    let first = lane(Arc::clone(&slots), 3);
    let mut held: Vec<_> = (0..3).map(|_| now(&slots, &[&first])).collect();
    first.resize(0);
    let second = lane(Arc::clone(&slots), 2);
    let both = [&first, &second];
    let mut on_second = vec![now(&slots, &both), now(&slots, &both)];
    // What comes back from the first is nobody's; what comes back from the second is free.
    held.pop();
    assert_pending!(task::spawn(slots.permit()).poll());
    on_second.pop();
    on_second.push(now(&slots, &both));
    assert_pending!(task::spawn(slots.permit()).poll());
    // A limit that is raised again counts those who stayed.
    first.resize(3);
    let _third = now(&slots, &both);
    assert_pending!(task::spawn(slots.permit()).poll());
}

#[test]
fn whatever_races_with_a_limit_that_changes_the_count_is_right_in_the_end() {
    for _ in 0..5 {
        let slots = Slots::new(8);
        let lanes = [2, 3].map(|limit| lane(Arc::clone(&slots), limit));
        let use_it = || {
            let mut held = None;
            for n in 0..20_000 {
                let mut permit = task::spawn(slots.permit());
                if !permit.poll().is_ready() {
                    continue;
                }
                match lanes.iter().find_map(|lane| lane.enter()) {
                    Some(slot) if n % 3 == 0 => held = Some(slot),
                    Some(slot) => drop(slot),
                    None => slots.give(1),
                }
            }
            drop(held);
        };
        std::thread::scope(|scope| {
            scope.spawn(use_it);
            scope.spawn(use_it);
            scope.spawn(|| (0..20_000).for_each(|n| lanes[0].resize(n % 5)));
            scope.spawn(|| (0..15_000).for_each(|n| lanes[1].resize(4 - n % 5)));
        });
        lanes[0].resize(2);
        lanes[1].retire();
        let lanes = [&lanes[0], &lanes[1]];
        let _both = [now(&slots, &lanes), now(&slots, &lanes)];
        assert_pending!(task::spawn(slots.permit()).poll());
    }
}

#[test]
fn who_has_a_permit_when_the_lane_goes_gives_it_to_those_who_are_owed() {
    let slots = Slots::new(8);
    let first = lane(Arc::clone(&slots), 1);
    assert_ready!(task::spawn(slots.permit()).poll()).unwrap();
    first.retire();
    assert!(first.enter().is_none());
    slots.give(1);
    assert_pending!(task::spawn(slots.permit()).poll());
}

#[test]
fn closing_sends_everybody_away() {
    let slots = Slots::new(8);
    let mut waits = task::spawn(slots.permit());
    assert_pending!(waits.poll());
    slots.close();
    assert_eq!(assert_ready!(waits.poll()).unwrap_err(), NoSlot::Closed);
    let late = assert_ready!(task::spawn(slots.permit()).poll());
    assert_eq!(late.unwrap_err(), NoSlot::Closed);
    assert_ready!(task::spawn(slots.closed()).poll());
}

#[test]
fn a_lane_is_idle_when_nobody_was_there_since_it_was_asked() {
    let slots = Slots::new(8);
    let lane = lane(Arc::clone(&slots), 2);
    assert!(lane.was_quiet());
    let held = now(&slots, &[&lane]);
    assert!(!lane.was_quiet() && !lane.was_quiet() && !lane.close_if_unused());
    drop(held);
    assert!(lane.was_quiet());
    drop(now(&slots, &[&lane]));
    assert!(!lane.was_quiet() && lane.was_quiet());
    assert!(lane.close_if_unused());
    assert!(lane.enter().is_none());
}

#[test]
fn a_peer_without_a_limit_has_room_for_all() {
    let slots = Slots::new(0);
    let lanes = [
        &lane(Arc::clone(&slots), usize::MAX),
        &lane(Arc::clone(&slots), usize::MAX),
    ];
    lanes[0].resize(usize::MAX);
    let _held: Vec<_> = (0..1_000).map(|_| now(&slots, &lanes)).collect();
}
