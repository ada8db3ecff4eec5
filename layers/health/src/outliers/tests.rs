//! The numbers, computed by hand.

use super::*;

/// Of 100 calls each, so many succeed.
fn of_100(successes: &[u64]) -> Vec<Tally> {
    let tally = |successes: &u64| Tally {
        successes: *successes,
        failures: 100 - successes,
    };
    successes.iter().map(tally).collect()
}

#[test]
fn the_success_rate_is_compared_with_mean_and_deviation() {
    // Mean 0.9, deviation 0.2 of five; 0.9 - 1.9 * 0.2 = 0.52, and 0.5 is below it.
    let five = of_100(&[100, 100, 100, 100, 50]);
    assert_eq!(SuccessRate::new().outliers(&five), [4]);
    // 0.9 - 2.0 * 0.2 = 0.5, to which 0.5 is equal, and that is enough.
    assert!(
        SuccessRate::new()
            .stdev_factor(2_001)
            .outliers(&five)
            .is_empty()
    );
    // 0.9 - 0 = 0.9: whoever is below the mean.
    let below = SuccessRate::new().stdev_factor(0);
    assert_eq!(below.outliers(&five), [4]);
    // Mean 0.8, deviation sqrt((4 * 0.15^2 + 2 * 0.3^2) / 6) = 0.2121: 0.397 is required.
    let two = of_100(&[95, 95, 95, 95, 50, 50]);
    assert!(SuccessRate::new().outliers(&two).is_empty());
    // With one deviation 0.588 is.
    let one = SuccessRate::new().stdev_factor(1_000);
    assert_eq!(one.outliers(&two), [4, 5]);
}

#[test]
fn who_all_do_the_same_are_no_outliers() {
    for successes in [0, 1, 33, 99, 100] {
        let all = of_100(&[successes; 7]);
        let strict = SuccessRate::new().stdev_factor(1_900);
        assert!(strict.outliers(&all).is_empty(), "{successes} of 100");
    }
}

#[test]
fn the_failure_percentage_must_be_above_the_threshold() {
    let all = of_100(&[15, 14, 100, 0, 16]);
    assert_eq!(FailurePercentage::new().outliers(&all), [1, 3]);
    let all_of_them = FailurePercentage::new().threshold(0).unwrap();
    assert_eq!(all_of_them.outliers(&all), [0, 1, 3, 4]);
    let never = FailurePercentage::new().threshold(100).unwrap();
    assert!(never.outliers(&all).is_empty());
}

#[test]
fn too_few_calls_or_hosts_tell_nothing() {
    let mut all = of_100(&[100, 100, 100, 100, 0]);
    all[0].successes = 99;
    assert!(SuccessRate::new().outliers(&all).is_empty(), "four hosts");
    let few = SuccessRate::new().minimum_hosts(4).stdev_factor(1_000);
    assert_eq!(few.outliers(&all), [4]);
    let fewer_calls = SuccessRate::new().request_volume(99);
    assert_eq!(fewer_calls.outliers(&all), [4]);
    let percentage = FailurePercentage::new();
    assert_eq!(percentage.outliers(&all), [4], "50 calls are enough");
    assert!(percentage.minimum_hosts(6).outliers(&all).is_empty());
    assert!(percentage.request_volume(101).outliers(&all).is_empty());
}

#[test]
fn nobody_and_no_calls_are_no_trouble() {
    let anything = SuccessRate::new().minimum_hosts(0).request_volume(0);
    assert!(anything.outliers(&[]).is_empty());
    assert!(anything.outliers(&[Tally::default(); 9]).is_empty());
    let anything = FailurePercentage::new().minimum_hosts(0).request_volume(0);
    assert!(anything.outliers(&[Tally::default(); 9]).is_empty());
}

#[test]
fn no_percentage_is_above_100() {
    let error = FailurePercentage::new().threshold(101).unwrap_err();
    assert_eq!((error.field(), error.value()), ("threshold", "101"));
    let error = SuccessRate::new().enforcement_percentage(101).unwrap_err();
    assert_eq!(error.field(), "enforcement_percentage");
}
