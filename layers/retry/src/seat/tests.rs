//! Threads that come and go.

use super::*;
use std::{collections::HashSet, sync::Barrier, thread};

#[test]
fn threads_that_live_at_the_same_time_have_seats_of_their_own() {
    const THREADS: usize = 3 * SEATS;
    let barrier = Barrier::new(THREADS);
    let ask = || {
        let mine = seat();
        // Asked again, it is the same one; and all of them are alive.
        barrier.wait();
        assert_eq!(seat(), mine);
        barrier.wait();
        mine
    };
    let seats: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let own: Vec<_> = seats.iter().filter(|seat| **seat < SEATS).collect();
    assert!(!own.is_empty() && own.len() <= SEATS);
    assert_eq!(own.len(), own.iter().collect::<HashSet<_>>().len());
}

#[test]
fn a_thread_that_ends_leaves_its_seat_to_the_next() {
    // More threads than seats, one after another; a few seats are other tests'.
    let seated = (0..20 * SEATS).filter(|_| thread::spawn(seat).join().unwrap() < SEATS);
    assert!(seated.count() > SEATS);
}

#[test]
fn what_a_seat_has_is_made_once() {
    let each = PerSeat::new();
    assert_eq!((each.mine(|| 1), each.mine(|| 2)), (&1, &1));
}
