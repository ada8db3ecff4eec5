//! UUIDs of version 7: of their time, rising, and never one twice.

use std::{
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    thread,
    time::Duration,
};
use ziggurat::coord::UuidV7;

const NOW: u64 = 1_700_000_000_000;

#[test]
fn they_hold_the_time_and_rise_through_a_clock_that_is_set_back() {
    let millis = Arc::new(AtomicU64::new(NOW));
    let shared = Arc::clone(&millis);
    let uuids = UuidV7::new().clock(move || Duration::from_millis(shared.load(SeqCst)));
    let first = uuids.next_id();
    let (seconds, nanos) = first.get_timestamp().unwrap().to_unix();
    assert_eq!((seconds, nanos), (NOW / 1_000, 0));
    let mut last = first;
    // Back into an earlier second, and then on from where it was.
    for at in [NOW, NOW - 5_000, NOW - 1, 0, NOW + 1, NOW + 2, u64::MAX] {
        millis.store(at, SeqCst);
        for _ in 0..10_000 {
            let next = uuids.next_id();
            assert!(next > last || at == u64::MAX, "{at}");
            last = next;
        }
    }
}

#[test]
fn threads_never_make_the_same() {
    let uuids = UuidV7::new();
    let made = thread::scope(|scope| {
        let make = || (0..10_000).map(|_| uuids.next_id()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        let made = threads.into_iter().map(|thread| thread.join().unwrap());
        made.collect::<Vec<_>>()
    });
    assert!(made.iter().all(|ids| ids.is_sorted_by(|a, b| a < b)));
    let mut all = made.concat();
    all.sort_unstable();
    assert!(all.is_sorted_by(|a, b| a < b), "made twice");
}
