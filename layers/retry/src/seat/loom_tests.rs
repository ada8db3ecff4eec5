//! With loom: every order in which two threads may take a seat, count on it, and leave it.

use super::*;
use loom::{sync::Arc, thread};

#[test]
fn loom_two_threads_never_sit_on_one_seat() {
    loom::model(|| {
        let seats = Arc::new(Seats(AtomicU64::new(0)));
        let other = Arc::clone(&seats);
        let theirs = thread::spawn(move || other.take());
        let mine = seats.take();
        assert_ne!(mine, theirs.join().unwrap());
    });
}

#[test]
fn loom_who_sits_down_sees_what_the_one_before_has_counted() {
    loom::model(|| {
        // All but one are taken.
        let seats = Arc::new(Seats(AtomicU64::new(!1)));
        let count = Arc::new(AtomicU64::new(0));
        let both = (Arc::clone(&seats), Arc::clone(&count));
        let add = |seats: &Seats, count: &AtomicU64| {
            let Some(seat) = seats.take() else {
                return 0;
            };
            // As a thread counts on a seat of its own: two of them at once would lose one.
            count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            seats.free(seat);
            1
        };
        let theirs = thread::spawn(move || add(&both.0, &both.1));
        let mine = add(&seats, &count);
        let added = mine + theirs.join().unwrap();
        assert_eq!(count.load(Ordering::Relaxed), added);
    });
}
