//! Threads that come and go.

use super::*;
use std::{
    collections::HashSet,
    sync::{Barrier, Mutex, PoisonError, mpsc},
    thread,
};

/// One test at a time: they count who has a seat.
static ALONE: Mutex<()> = Mutex::new(());

/// What so many threads that live at the same time are told.
fn told(threads: usize, ask: fn() -> usize) -> Vec<usize> {
    let barrier = Barrier::new(threads);
    let ask = || {
        let mine = ask();
        // Asked again, it is the same; and all of them are alive.
        barrier.wait();
        assert_eq!(ask(), mine);
        barrier.wait();
        mine
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(ask)).collect();
        let told = threads.into_iter().map(|thread| thread.join().unwrap());
        told.collect()
    })
}

#[test]
fn threads_that_live_at_the_same_time_have_places_of_their_own_while_there_are_any() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let places = told(3 * OWN, place);
    assert!(places.iter().all(|place| *place < PLACES));
    let own: Vec<_> = places.iter().filter(|place| **place < OWN).collect();
    assert!(!own.is_empty() && own.len() <= OWN);
    assert_eq!(own.len(), own.iter().collect::<HashSet<_>>().len());
}

#[test]
fn threads_without_a_seat_of_their_own_spread_over_the_places_that_are_shared() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut threads = [0_usize; 8];
    for place in told(8 * OWN, || among(8)) {
        threads[place] += 1;
    }
    let even = OWN;
    assert!(
        threads.iter().all(|threads| threads.abs_diff(even) <= 4),
        "{threads:?}"
    );
}

#[test]
fn a_thread_that_ends_leaves_its_seat_to_the_next() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // More threads than seats, one after another.
    for _ in 0..20 * OWN {
        let own = thread::spawn(place).join().unwrap();
        assert!(own < OWN);
    }
}

#[test]
fn what_a_thread_writes_while_it_ends_is_written_where_many_do() {
    struct Last(mpsc::Sender<usize>);

    impl Drop for Last {
        fn drop(&mut self) {
            _ = self.0.send(place());
        }
    }

    thread_local! {
        static FIRST: Cell<Option<Last>> = const { Cell::new(None) };
        static SECOND: Cell<Option<Last>> = const { Cell::new(None) };
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (told, places) = mpsc::channel();
    let sits = move || {
        FIRST.set(Some(Last(told.clone())));
        let own = place();
        SECOND.set(Some(Last(told)));
        own
    };
    let own = thread::spawn(sits).join().unwrap();
    // In whichever order they are dropped, one of them is when the seat was given back.
    let mut places: Vec<_> = places.iter().collect();
    places.sort_unstable();
    assert_eq!(places, [own, OWN]);
}

#[test]
fn what_a_seat_has_is_made_once() {
    let each = PerSeat::new();
    assert_eq!((each.mine(|| 1), each.mine(|| 2)), (&1, &1));
}

#[test]
fn what_is_apart_has_two_cache_lines() {
    assert_eq!(size_of::<[Apart<u8>; 3]>(), 3 * 128);
}
