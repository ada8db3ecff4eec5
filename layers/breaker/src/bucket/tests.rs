//! Without loom: one thread, many epochs.

use super::*;

const NOW: Epoch = Epoch::new(1_000);

fn later(epochs: u64) -> Epoch {
    Epoch::new(NOW.0 + epochs)
}

#[test]
fn a_bucket_starts_over_in_a_later_epoch_and_ignores_an_earlier_one() {
    let bucket = Bucket::new();
    bucket.add(NOW);
    bucket.add(NOW);
    assert_eq!([NOW, later(15)].map(|now| bucket.count(now)), [2, 2]);
    assert_eq!(bucket.count(later(16)), 0);
    bucket.add(later(16));
    bucket.add(NOW);
    assert_eq!(bucket.count(later(16)), 1);
}

#[test]
fn the_epoch_may_wrap() {
    let (bucket, run) = (Bucket::new(), Run::new());
    let (last, first) = (Epoch::new(EPOCH_MASK), Epoch::new(EPOCH_MASK + 1));
    bucket.add(last);
    assert_eq!(run.failed(last), 1);
    assert_eq!(bucket.count(first), 1);
    assert_eq!(run.failed(first), 2);
    // Half the ring later is old, not far ahead.
    let half = Epoch::new(EPOCH_MASK / 2 + 1);
    assert_eq!(bucket.count(half), 0);
    bucket.add(half);
    assert_eq!(bucket.count(half), 1);
}

#[test]
fn a_full_bucket_is_full_and_of_its_epoch() {
    let bucket = Bucket(AtomicU64::new(NOW.0 << EPOCH_SHIFT | (COUNTS_MASK - 1)));
    for _ in 0..3 {
        bucket.add(NOW);
        assert_eq!(bucket.count(NOW), COUNTS_MASK);
    }
    bucket.add(later(1));
    assert_eq!(bucket.count(later(1)), 1);
}

#[test]
fn a_run_ends_with_a_success_or_an_idle_window() {
    let run = Run::new();
    assert_eq!([run.failed(NOW), run.failed(later(15))], [1, 2]);
    assert_eq!(run.failed(later(31)), 1);
    run.ended();
    assert_eq!(run.failed(later(31)), 1);
}
