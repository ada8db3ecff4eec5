//! With loom: every order in which two threads may record.

use super::*;
use loom::{sync::Arc, thread};

#[test]
fn loom_no_record_is_lost_when_an_epoch_begins() {
    loom::model(|| {
        let bucket = Arc::new(Bucket::new());
        bucket.add(Epoch::new(1));
        let other = Arc::clone(&bucket);
        let (old, new) = (Epoch::new(1), Epoch::new(1 + BUCKETS as u64));
        let writer = thread::spawn(move || {
            other.add(new);
            other.add(old);
        });
        bucket.add(new);
        writer.join().unwrap();
        assert_eq!(bucket.count(new), 2);
    });
}

#[test]
fn loom_one_of_two_failures_on_two_seats_sees_both() {
    loom::model(|| {
        let seats = Arc::new([Bucket::new(), Bucket::new()]);
        let now = Epoch::new(1);
        let fail = move |seats: &[Bucket; 2], seat: usize| {
            seats[seat].add(now);
            fence(Ordering::SeqCst);
            seats[0].count(now) + seats[1].count(now)
        };
        let other = Arc::clone(&seats);
        let theirs = thread::spawn(move || fail(&other, 1));
        let mine = fail(&seats, 0);
        assert_eq!(mine.max(theirs.join().unwrap()), 2);
    });
}

#[test]
fn loom_a_run_is_counted_once_each() {
    loom::model(|| {
        let run = Arc::new(Run::new());
        let other = Arc::clone(&run);
        let theirs = thread::spawn(move || other.failed(Epoch::new(1)));
        let mine = run.failed(Epoch::new(1));
        assert_eq!(mine + theirs.join().unwrap(), 3);
    });
}
