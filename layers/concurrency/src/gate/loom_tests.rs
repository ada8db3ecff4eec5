//! Permits given back, waited for and given up at once, in every order.

use super::*;
use loom::{
    sync::{Arc, atomic::AtomicU32},
    thread,
};
use std::time::Duration;
use ziggurat_core::clock;

/// A waiter of one word: what it was told, or that it listens no more.
#[derive(Clone, Default)]
struct Slot(Arc<AtomicU32>);

const SILENT: u32 = 0;
const ENTERED: u32 = 1;
const TURNED_AWAY: u32 = 2;
const DEAF: u32 = 3;

impl Tell for Slot {
    fn tell(self, verdict: Verdict) -> bool {
        let word = match verdict {
            Verdict::Enter => ENTERED,
            _ => TURNED_AWAY,
        };
        let told = self
            .0
            .compare_exchange(SILENT, word, Ordering::AcqRel, Ordering::Acquire);
        told.is_ok()
    }
}

impl Slot {
    /// As the receiver of a channel is closed.
    fn close(&self) -> u32 {
        let closed = self
            .0
            .compare_exchange(SILENT, DEAF, Ordering::AcqRel, Ordering::Acquire);
        closed.unwrap_or_else(|told| told)
    }
}

const LIMITS: Limits = [1; LEVELS];

fn enter(gate: &Gate<Slot>, level: usize, now: Instant, length: u32) -> (Place, Slot) {
    let slot = Slot::default();
    let ask = Ask {
        level,
        now,
        deadline: None,
    };
    let queue = Queue {
        length,
        target: Duration::from_secs(1),
        interval: Duration::from_secs(1),
    };
    let place = gate.enter(ask, &LIMITS, queue, || slot.clone());
    (place, slot)
}

fn leave(gate: &Gate<Slot>, now: Instant) {
    gate.leave(|| LIMITS, || now);
}

/// As a waiting future that is dropped.
fn drop_out(gate: &Gate<Slot>, place: &Place, slot: &Slot, now: Instant) {
    match place {
        Place::In(_) => leave(gate, now),
        Place::Waiting { id, .. } => {
            if !gate.quit(0, *id, None) && slot.close() == ENTERED {
                leave(gate, now);
            }
        }
        Place::Full => {}
    }
}

fn assert_idle(gate: &Gate<Slot>) {
    assert_eq!((gate.out(), gate.waiting()), (0, 0));
}

#[test]
fn loom_who_waits_while_the_last_permit_is_given_back_gets_it() {
    loom::model(|| {
        let (gate, now) = (Arc::new(Gate::new()), clock::now());
        assert_eq!(gate.try_enter(1), Some(1));
        let theirs = Arc::clone(&gate);
        let other = thread::spawn(move || leave(&theirs, now));
        let (place, slot) = enter(&gate, 0, now, 1);
        other.join().unwrap();
        match place {
            Place::In(_) => {}
            _ => assert_eq!(slot.0.load(Ordering::Acquire), ENTERED, "nobody told it"),
        }
        assert_eq!((gate.out(), gate.waiting()), (1, 0));
        leave(&gate, now);
        assert_idle(&gate);
    });
}

#[test]
fn loom_a_waiter_that_is_dropped_hands_its_permit_on() {
    loom::model(|| {
        let (gate, now) = (Arc::new(Gate::new()), clock::now());
        assert_eq!(gate.try_enter(1), Some(1));
        let (first, first_slot) = enter(&gate, 0, now, 2);
        let (_, second_slot) = enter(&gate, 0, now, 2);
        let theirs = Arc::clone(&gate);
        let other = thread::spawn(move || leave(&theirs, now));
        drop_out(&gate, &first, &first_slot, now);
        other.join().unwrap();
        assert_eq!(second_slot.0.load(Ordering::Acquire), ENTERED);
        assert_eq!((gate.out(), gate.waiting()), (1, 0));
        leave(&gate, now);
        assert_idle(&gate);
    });
}

#[test]
fn loom_who_is_displaced_while_a_permit_comes_back_costs_none() {
    loom::model(|| {
        let (gate, now) = (Arc::new(Gate::new()), clock::now());
        assert_eq!(gate.try_enter(1), Some(1));
        let (_, lesser) = enter(&gate, 3, now, 1);
        let theirs = Arc::clone(&gate);
        let other = thread::spawn(move || leave(&theirs, now));
        let (place, slot) = enter(&gate, 0, now, 1);
        other.join().unwrap();
        let lesser = lesser.0.load(Ordering::Acquire);
        let entered = matches!(place, Place::In(_)) || slot.0.load(Ordering::Acquire) == ENTERED;
        assert_eq!(gate.out(), 1);
        if lesser == ENTERED {
            // It was served first, and the other waits for it to leave.
            assert!(!entered);
            leave(&gate, now);
        } else {
            assert!(entered && lesser == TURNED_AWAY);
        }
        leave(&gate, now);
        assert_idle(&gate);
    });
}

#[test]
fn loom_no_more_than_the_limit_are_within_and_none_is_lost() {
    loom::model(|| {
        let (gate, now) = (Arc::new(Gate::new()), clock::now());
        let theirs = Arc::clone(&gate);
        let call = |gate: &Gate<Slot>| {
            if gate.try_enter(1).is_some() {
                assert_eq!(gate.out(), 1);
                leave(gate, now);
            }
        };
        let other = thread::spawn(move || call(&theirs));
        let (place, slot) = enter(&gate, 0, now, 1);
        drop_out(&gate, &place, &slot, now);
        other.join().unwrap();
        assert_idle(&gate);
    });
}
