//! The laws of earning, without a runtime.

use super::*;
use std::{sync::atomic::AtomicUsize, thread, time::Duration};
use ziggurat_core::clock;

const YEAR: Duration = Duration::from_secs(365 * 86_400);

const fn income(per_call: f64, per_second: f64) -> Income {
    Income {
        per_call,
        per_second,
    }
}

/// Makes `calls` at `rate` a second, each of which retries as often as it may.
fn storm(income: Income, calls: u32, rate: u32) -> u32 {
    let budget = Purse::new();
    let start = clock::now();
    let mut retries = 0;
    for call in 0..calls {
        let now = start + Duration::from_secs(1) / rate * call;
        budget.deposit(income, || now);
        while budget.withdraw(income, now) {
            retries += 1;
        }
    }
    retries
}

#[test]
fn retries_are_the_share_of_the_calls_that_was_asked_for() {
    for ratio in [0.1, 0.2, 0.6, 1.0, 1.5] {
        for rate in [2, 10, 100, 100_000] {
            let retries = f64::from(storm(income(ratio, 0.0), 10_000, rate)) / 10_000.0;
            let error = (retries / ratio - 1.0).abs();
            assert!(error < 0.05, "{ratio} at {rate}/s became {retries}");
        }
    }
}

#[test]
fn a_small_share_is_as_exact_however_often_it_is_asked_for() {
    for ratio in [0.000_2, 0.000_9, 0.002_9] {
        for rate in [100, 100_000] {
            let earned = 100_000.0 * ratio;
            let retries = f64::from(storm(income(ratio, 0.0), 100_000, rate));
            // What is earned last may not make a whole one.
            let error = earned - retries;
            assert!(
                (0.0..1.0 + earned * 0.05).contains(&error),
                "{ratio} at {rate}/s: {retries}"
            );
        }
    }
    // Who asks in each tick of eight milliseconds gets eight of the 8.2 units that it earns.
    let retries = storm(income(0.0, 1.0), 100_000, 1_000);
    assert!((105..=110).contains(&retries), "{retries}");
}

#[test]
fn a_second_earns_its_retries_whatever_the_calls() {
    // A reserve of ten seconds, then twenty seconds at ten.
    let retries = storm(income(0.0, 10.0), 2_000, 100);
    assert!((285..=300).contains(&retries), "{retries}");
}

#[test]
fn no_income_is_no_retry() {
    assert_eq!(storm(income(0.0, 0.0), 1_000, 10), 0);
}

#[test]
fn earnings_fade_to_the_reserve_and_a_year_is_one_step() {
    let income = income(0.2, 1.0);
    let budget = Purse::new();
    let start = clock::now();
    for _ in 0..100_000 {
        budget.deposit(income, || start);
    }
    let later = start + YEAR;
    let retries = (0..1_000)
        .take_while(|_| budget.withdraw(income, later))
        .count();
    assert!((9..=11).contains(&retries), "{retries}");
    let much_later = later + YEAR;
    let retries = (0..1_000)
        .take_while(|_| budget.withdraw(income, much_later))
        .count();
    assert_eq!(retries, 10);
}

#[test]
fn what_was_earned_long_ago_in_small_numbers_fades_too() {
    let income = income(1.0, 0.0);
    let budget = Purse::new();
    let start = clock::now();
    assert!(!budget.withdraw(income, start));
    for _ in 0..BATCH - 1 {
        budget.deposit(income, || start);
    }
    assert!(!budget.withdraw(income, start + YEAR));
}

#[test]
fn a_refund_is_spent_again() {
    let income = income(1.0, 0.0);
    let budget = Purse::new();
    let now = clock::now();
    budget.deposit(income, || now);
    assert!(budget.withdraw(income, now));
    assert!(!budget.withdraw(income, now));
    budget.refund(income, now);
    assert!(budget.withdraw(income, now));
    assert!(!budget.withdraw(income, now));
}

#[test]
fn an_older_reading_of_the_clock_takes_nothing_back() {
    let income = income(0.0, 10.0);
    let budget = Purse::new();
    let start = clock::now();
    let spend = |now| {
        (0..1_000)
            .take_while(|_| budget.withdraw(income, now))
            .count()
    };
    assert_eq!(spend(start), 100);
    assert!((99..=100).contains(&spend(start + Duration::from_secs(10))));
    assert_eq!(spend(start), 0);
    assert_eq!(spend(start + Duration::from_secs(10)), 0);
}

#[test]
fn many_threads_never_spend_more_than_was_earned() {
    const THREADS: u32 = 64;
    const CALLS: u32 = 500;
    let income = income(0.2, 1.0);
    let budget = Purse::new();
    let now = clock::now();
    let retries = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..CALLS {
                    budget.deposit(income, || now);
                    let granted = (0..3).take_while(|_| budget.withdraw(income, now)).count();
                    retries.fetch_add(granted, Relaxed);
                }
            });
        }
    });
    while budget.withdraw(income, now) {
        retries.fetch_add(1, Relaxed);
    }
    let retries = retries.into_inner();
    let earned = (f64::from(THREADS * CALLS) * 0.2 + 10.0) as usize;
    assert!(retries <= earned, "{retries} of {earned}");
    assert!(retries * 100 >= earned * 95, "{retries} of {earned}");
}
