//! Without loom: one thread, many epochs.

use super::*;

const NOW: Epoch = Epoch::new(1_000);

fn later(epochs: u64) -> Epoch {
    Epoch::new(NOW.0 + epochs)
}

#[test]
fn a_bucket_starts_over_in_a_later_epoch_and_ignores_an_earlier_one() {
    let bucket = Bucket::new();
    bucket.succeeded(NOW);
    bucket.failed(NOW);
    assert_eq!(bucket.totals(NOW).calls(), 2);
    assert_eq!(bucket.totals(later(15)).calls(), 2);
    assert_eq!(bucket.totals(later(16)).calls(), 0);
    bucket.failed(later(16));
    bucket.failed(NOW);
    assert_eq!(bucket.totals(later(16)).calls(), 1);
}

#[test]
fn the_epoch_may_wrap() {
    let (bucket, run) = (Bucket::new(), Run::new());
    let (last, first) = (Epoch::new(EPOCH_MASK), Epoch::new(EPOCH_MASK + 1));
    bucket.failed(last);
    assert_eq!(run.failed(last), 1);
    assert_eq!(bucket.totals(first).failures, 1);
    assert_eq!(run.failed(first), 2);
    // Half the ring later is old, not far ahead.
    let half = Epoch::new(EPOCH_MASK / 2 + 1);
    assert_eq!(bucket.totals(half).failures, 0);
    bucket.failed(half);
    assert_eq!(bucket.totals(half).failures, 1);
}

#[test]
fn a_full_bucket_keeps_its_ratio() {
    let bucket = Bucket::new();
    for _ in 0..MAX_FAILURES {
        bucket.failed(NOW);
        bucket.succeeded(NOW);
    }
    for _ in 0..10 {
        bucket.failed(NOW);
        bucket.succeeded(NOW);
    }
    let Totals {
        successes,
        failures,
        ..
    } = bucket.totals(NOW);
    assert!(failures > MAX_FAILURES / 2, "{failures}");
    assert!(successes.abs_diff(failures) <= 10, "{successes} {failures}");
}

#[test]
fn what_is_noted_beside_a_bucket_is_halved_with_it_and_not_before() {
    let (results, noted) = (Bucket::new(), Bucket::new());
    let mut halved = 0;
    for _ in 0..=MAX_SUCCESSES {
        if results.succeeded(NOW) {
            noted.halve(NOW);
            halved += 1;
        }
        noted.noted(NOW);
    }
    assert_eq!(halved, 1);
    assert_eq!(noted.count(NOW), results.totals(NOW).successes);
    assert_eq!(noted.count(later(16)), 0);
}

#[test]
fn a_run_ends_with_a_success_or_an_idle_window() {
    let run = Run::new();
    assert_eq!([run.failed(NOW), run.failed(later(15))], [1, 2]);
    assert_eq!(run.failed(later(31)), 1);
    run.ended();
    assert_eq!(run.failed(later(31)), 1);
}
