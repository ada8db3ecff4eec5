//! What is refused, what holds by default, and the arithmetic.

use super::*;
use crate::bucket::Totals;

fn totals(successes: u64, failures: u64) -> Totals {
    Totals {
        successes,
        failures,
        slow: 0,
    }
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    let all = Settings::new();
    let long = Backoff::new(DAY, 2.0, 2 * DAY).unwrap();
    for (refused, field, value) in [
        (all.failure_ratio(f64::NAN), "failure_ratio", "NaN"),
        (all.failure_ratio(0.0), "failure_ratio", "0.0"),
        (all.failure_ratio(1.1), "failure_ratio", "1.1"),
        (all.minimum_calls(0), "minimum_calls", "0"),
        (all.window(Duration::ZERO), "window", "0ns"),
        (all.window(2 * HOUR), "window", "7200s"),
        (all.window(Duration::MAX), "window", "s"),
        (all.window_of_calls(0), "window_of_calls", "0"),
        (all.window_of_calls(4_097), "window_of_calls", "4097"),
        (all.slow_calls(Duration::ZERO, 0.5), "slow_calls", "0ns"),
        (all.slow_calls(MILLISECOND, 0.0), "slow_calls", "0.0"),
        (all.slow_calls(MILLISECOND, 1.1), "slow_calls", "1.1"),
        (all.ramp(2 * HOUR), "ramp", "7200s"),
        (all.adaptive(1.0), "adaptive", "1.0"),
        (all.adaptive(f64::NAN), "adaptive", "NaN"),
        (all.consecutive_failures(0), "consecutive_failures", "0"),
        (all.open_for(Duration::ZERO), "open_for", "0ns"),
        (all.open_for(Duration::MAX), "open_for", "s"),
        (all.backoff(long), "backoff", "172800s"),
        (all.probes(0), "probes", "0"),
        (all.successes(0), "successes", "0"),
        (all.probe_timeout(Duration::ZERO), "probe_timeout", "0ns"),
        (all.probe_timeout(Duration::MAX), "probe_timeout", "s"),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.field(), field);
        assert!(error.value().contains(value), "{error}");
        assert!(error.to_string().contains(error.rule()), "{error}");
    }
}

#[test]
fn the_default_backoff_is_the_documented_one() {
    let settings = Settings::default();
    let expected = Backoff::new(Duration::from_secs(5), 2.0, Duration::from_secs(60));
    assert_eq!(settings.backoff, expected.unwrap());
}

#[test]
fn the_share_counts_from_the_minimum_on_and_exactly() {
    let settings = Settings::new()
        .consecutive_failures(None)
        .and_then(|settings| settings.failure_ratio(0.55))
        .unwrap();
    for (successes, failures, enough) in [
        (0, 19, false),
        (0, 20, true),
        (9, 11, true),
        (10, 11, false),
        (1_000_000, 20, false),
    ] {
        let is = settings.is_enough(failures, || totals(successes, failures));
        assert_eq!(is, enough, "{successes} {failures}");
    }
}

#[test]
fn a_window_of_fewer_calls_than_the_minimum_is_enough_once_it_is_full() {
    let settings = Settings::new().consecutive_failures(None).unwrap();
    let settings = settings.window_of_calls(10).unwrap();
    assert!(!settings.is_enough(9, || totals(0, 9)));
    assert!(settings.is_enough(10, || totals(0, 10)));
    assert!(settings.is_enough(1, || totals(5, 5)));
    assert!(!settings.is_enough(1, || totals(6, 4)));
}

#[test]
fn a_run_counts_whatever_the_share() {
    let settings = Settings::new();
    assert!(!settings.is_enough(4, || totals(1_000, 4)));
    assert!(settings.is_enough(5, || totals(1_000, 5)));
}

#[test]
fn slow_calls_have_a_share_of_their_own() {
    let settings = Settings::new().slow_calls(MILLISECOND, 0.5).unwrap();
    assert!(!settings.is_slow(MILLISECOND));
    assert!(settings.is_slow(2 * MILLISECOND));
    let totals = |slow| Totals {
        slow,
        ..totals(20, 0)
    };
    assert!(!settings.is_enough(0, || totals(9)));
    assert!(settings.is_enough(0, || totals(10)));
}

#[test]
fn the_rejected_share_follows_the_formula() {
    let settings = Settings::new().adaptive(2.0).unwrap();
    for (successes, failures, share) in [
        (100, 0, 0.0),
        (50, 50, 0.0),
        (40, 60, 20.0 / 101.0),
        (0, 99, 0.99),
        (0, 0, 0.0),
    ] {
        assert_eq!(settings.rejected_share(totals(successes, failures)), share);
    }
}

#[test]
fn a_ramp_grows_from_a_tenth_to_the_whole() {
    let settings = Settings::new().ramp(Duration::from_secs(10)).unwrap();
    for (left, share) in [(10, 0.1), (9, 0.1), (5, 0.5), (0, 1.0), (20, 0.1)] {
        assert_eq!(settings.admitted_share(Duration::from_secs(left)), share);
    }
    let at_once = settings.ramp(Duration::ZERO).unwrap();
    assert_eq!(at_once.admitted_share(Duration::from_secs(5)), 1.0);
}
