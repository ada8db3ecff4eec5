//! Who gets a permit, and when, one step after another.

use super::*;
use std::{
    sync::{Arc, Mutex as StdMutex},
    time::Duration,
};
use ziggurat_core::clock;

const MILLISECOND: Duration = Duration::from_millis(1);
const ONE: Limits = [1; LEVELS];

/// Notes who was told what.
#[derive(Clone, Default)]
struct Heard(Arc<StdMutex<Vec<(u32, Verdict)>>>);

struct Named(u32, Heard);

impl Tell for Named {
    fn tell(self, verdict: Verdict) -> bool {
        self.1.0.lock().unwrap().push((self.0, verdict));
        true
    }
}

impl Heard {
    fn take(&self) -> Vec<(u32, Verdict)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

struct World {
    gate: Gate<Named>,
    heard: Heard,
    now: Instant,
    length: u32,
}

impl World {
    /// All permits of one are out.
    fn full(length: u32) -> Self {
        let gate = Gate::new();
        assert_eq!(gate.try_enter(1), Some(1));
        Self {
            gate,
            heard: Heard::default(),
            now: clock::now(),
            length,
        }
    }

    fn enter(&self, name: u32, level: usize) -> Place {
        self.enter_by(name, level, None, &ONE)
    }

    fn enter_by(&self, name: u32, level: usize, deadline: Option<Instant>, of: &Limits) -> Place {
        let ask = Ask {
            level,
            now: self.now,
            deadline,
        };
        let queue = Queue {
            length: self.length,
            target: 5 * MILLISECOND,
            interval: 100 * MILLISECOND,
        };
        let ticket = || Named(name, self.heard.clone());
        self.gate.enter(ask, of, queue, ticket)
    }

    fn leave(&self) {
        self.gate.leave(|| ONE, || self.now);
    }
}

fn patience(place: &Place, now: Instant) -> Duration {
    match place {
        Place::Waiting { until, .. } => *until - now,
        other => panic!("{other:?} does not wait"),
    }
}

#[test]
fn the_more_critical_is_first_and_then_the_older() {
    let world = World::full(9);
    for (name, level) in [(1, 3), (2, 1), (3, 0), (4, 1), (5, 0), (6, 2)] {
        assert!(matches!(world.enter(name, level), Place::Waiting { .. }));
    }
    for _ in 0..6 {
        world.leave();
    }
    let order: Vec<_> = world
        .heard
        .take()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(order, [3, 5, 2, 4, 6, 1]);
    assert_eq!((world.gate.out(), world.gate.waiting()), (1, 0));
}

#[test]
fn nobody_overtakes_who_waits_at_its_level() {
    let world = World::full(1);
    assert!(matches!(world.enter(1, 1), Place::Waiting { .. }));
    assert_eq!(world.gate.try_enter(9), None);
    // Even if there is room, because the limit has just grown.
    assert!(matches!(
        world.enter_by(2, 1, None, &[9; LEVELS]),
        Place::Full
    ));
    let place = world.enter_by(3, 0, None, &[9; LEVELS]);
    assert!(matches!(place, Place::In(2)), "{place:?}");
}

#[test]
fn a_full_queue_gives_the_newest_of_the_least_critical_up() {
    let world = World::full(3);
    for (name, level) in [(1, 3), (2, 3), (3, 1)] {
        world.enter(name, level);
    }
    assert!(matches!(world.enter(4, 3), Place::Full));
    assert!(matches!(world.enter(5, 1), Place::Waiting { .. }));
    assert!(matches!(world.enter(6, 0), Place::Waiting { .. }));
    let gone = [(2, Verdict::Displaced), (1, Verdict::Displaced)];
    assert_eq!(world.heard.take(), gone);
    assert!(matches!(world.enter(7, 1), Place::Full));
    assert_eq!(world.gate.waiting(), 3);
}

#[test]
fn who_has_waited_too_long_gets_no_permit() {
    let mut world = World::full(9);
    let soon = world.now + MILLISECOND;
    world.enter_by(1, 1, Some(soon), &ONE);
    world.enter(2, 1);
    world.now = soon;
    world.leave();
    let told = [(1, Verdict::Expired), (2, Verdict::Enter)];
    assert_eq!(world.heard.take(), told);
    assert_eq!((world.gate.out(), world.gate.waiting()), (1, 0));
}

#[test]
fn a_queue_that_stands_lets_nobody_wait_for_long() {
    let mut world = World::full(9);
    assert_eq!(patience(&world.enter(1, 1), world.now), 100 * MILLISECOND);
    for name in 2..6 {
        world.now += 25 * MILLISECOND;
        let place = world.enter(name, 1);
        let long = world.now < world.now + MILLISECOND && name < 5;
        let expected = if long { 100 } else { 5 } * MILLISECOND;
        assert_eq!(patience(&place, world.now), expected, "{name}");
    }
    // Another level's queue is its own.
    assert_eq!(patience(&world.enter(6, 0), world.now), 100 * MILLISECOND);
}

#[test]
fn a_queue_that_permits_have_emptied_starts_anew() {
    let mut world = World::full(9);
    world.enter(1, 1);
    world.now += 99 * MILLISECOND;
    world.leave();
    world.now += 99 * MILLISECOND;
    assert_eq!(patience(&world.enter(2, 1), world.now), 100 * MILLISECOND);
}

#[test]
fn a_queue_that_is_empty_because_all_gave_up_still_stands() {
    let mut world = World::full(9);
    for (later, expected) in [(0, 100), (100, 5), (50, 5), (150, 100)] {
        world.now += later * MILLISECOND;
        let place = world.enter(1, 1);
        assert_eq!(
            patience(&place, world.now),
            expected * MILLISECOND,
            "{later}"
        );
        let Place::Waiting { id, until } = place else {
            panic!("it waits")
        };
        assert!(world.gate.quit(1, id, Some(until)));
    }
    assert_eq!(world.gate.waiting(), 0);
}

#[test]
fn a_queue_that_permits_empty_while_others_give_up_still_stands() {
    let mut world = World::full(9);
    let Place::Waiting { id, until } = world.enter(1, 1) else {
        panic!("it waits")
    };
    world.now = until;
    assert!(world.gate.quit(1, id, Some(until)));
    world.enter(2, 1);
    world.leave();
    assert_eq!(world.heard.take(), [(2, Verdict::Enter)]);
    world.now += 50 * MILLISECOND;
    assert_eq!(patience(&world.enter(3, 1), world.now), 5 * MILLISECOND);
    world.leave();
    world.now += 50 * MILLISECOND;
    assert_eq!(patience(&world.enter(4, 1), world.now), 100 * MILLISECOND);
}

#[test]
fn what_is_less_critical_leaves_a_share_to_the_others() {
    let world = World::full(9);
    let limits = [3, 3, 2, 1];
    assert!(matches!(
        world.enter_by(1, 3, None, &limits),
        Place::Waiting { .. }
    ));
    assert!(matches!(world.enter_by(2, 2, None, &limits), Place::In(2)));
    assert!(matches!(world.enter_by(3, 0, None, &limits), Place::In(3)));
    world.gate.leave(|| limits, || world.now);
    world.gate.leave(|| limits, || world.now);
    assert_eq!(world.heard.take(), []);
    world.gate.leave(|| limits, || world.now);
    assert_eq!(world.heard.take(), [(1, Verdict::Enter)]);
}
