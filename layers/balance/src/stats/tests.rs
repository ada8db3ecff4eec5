//! The load of one endpoint, with the time as an argument.

use super::*;
use crate::{Settings, settings::Weighing};
use std::time::Duration;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;

fn stats() -> Stats {
    let facts = Arc::new(Facts::new("echo".into(), Settings::new().into(), None));
    Stats::new(EndpointId::new("a"), facts)
}

fn weighing() -> Weighing {
    Settings::new().weighing()
}

/// One call of this length, from start to end.
fn call(stats: &Stats, elapsed: u64, now: u64) {
    stats.start(SECOND, weighing().decay);
    stats.observe(elapsed, now, weighing().decay);
    stats.finish();
}

#[test]
fn what_is_unknown_gets_one_probe_a_second_until_one_is_back() {
    let stats = stats();
    assert_eq!(stats.load(SECOND, 1, &weighing()), 0.0);
    stats.start(SECOND, weighing().decay);
    assert!(stats.load(SECOND, 1, &weighing()) >= UNKNOWN);
    let later = stats.load(2 * SECOND - 1, 1, &weighing());
    assert!(later >= UNKNOWN);
    assert_eq!(stats.load(2 * SECOND, 1, &weighing()), 0.0, "a long one");
    stats.start(2 * SECOND, weighing().decay);
    assert!(
        stats.load(2 * SECOND, 1, &weighing()) >= UNKNOWN,
        "one more"
    );
    stats.finish();
    stats.finish();
    assert_eq!(stats.load(SECOND, 1, &weighing()), 0.0, "it was cancelled");
    call(&stats, 10 * MILLI, SECOND);
    let load = stats.load(SECOND, 1, &weighing());
    assert!((load / MILLI as f64 - 10.0).abs() < 0.1, "{load}");
}

#[test]
fn a_new_endpoint_grows_from_a_tenth_to_the_whole() {
    let stats = stats();
    assert_eq!(stats.grown(SECOND, &weighing()), 1.0, "the probe");
    call(&stats, 10 * MILLI, SECOND);
    for (seconds, share) in [(0, 0.1), (1, 0.1), (5, 0.5), (10, 1.0), (11, 1.0)] {
        let grown = stats.grown((1 + seconds) * SECOND, &weighing());
        assert!((grown - share).abs() < 0.01, "{seconds} s: {grown}");
    }
}

#[test]
fn failing_fast_costs_more_than_answering_slowly() {
    let stats = stats();
    let mut now = SECOND;
    for _ in 0..100 {
        call(&stats, MILLI, now);
        now += 10 * MILLI;
    }
    for _ in 0..10 {
        now += 10 * MILLI;
        stats.fail(now, weighing().decay);
    }
    assert!(stats.cost(now, &weighing()) > SECOND as f64);
    let later = stats.cost(now + 60 * SECOND, &weighing());
    assert!(later < 15.0 * MILLI as f64, "forgiven in a minute: {later}");
}

#[test]
fn one_failure_in_a_thousand_costs_a_thousandth() {
    let stats = stats();
    let mut now = SECOND;
    for n in 0..20_000 {
        now += 10 * MILLI;
        if n % 1_000 == 0 {
            stats.fail(now, weighing().decay);
        } else {
            call(&stats, MILLI, now);
        }
    }
    let cost = stats.cost(now, &weighing()) / MILLI as f64;
    assert!((1.5..12.0).contains(&cost), "{cost} ms");
}

#[test]
fn a_first_call_that_fails_is_a_failure_rate_of_one() {
    let stats = stats();
    stats.fail(SECOND, weighing().decay);
    assert!(stats.cost(SECOND, &weighing()) >= 4.9 * SECOND as f64);
}

#[test]
fn a_cancelled_call_counts_only_when_it_took_longer_than_others() {
    let stats = stats();
    call(&stats, 10 * MILLI, SECOND);
    let before = stats.cost(SECOND, &weighing());
    stats.observe_at_least(MILLI, SECOND, weighing().decay);
    assert_eq!(stats.cost(SECOND, &weighing()), before);
    stats.observe_at_least(300 * MILLI, SECOND, weighing().decay);
    assert!(stats.cost(SECOND, &weighing()) > 290.0 * MILLI as f64);
}

#[test]
fn pushback_counts_as_latency_and_is_bounded() {
    let stats = stats();
    stats.push_back(Duration::from_secs(2), SECOND, weighing().decay);
    assert!((stats.cost(SECOND, &weighing()) / 1e9 - 2.0).abs() < 0.01);
    stats.push_back(Duration::MAX, SECOND, weighing().decay);
    assert!((stats.cost(SECOND, &weighing()) / 1e9 - 60.0).abs() < 0.01);
}

#[test]
fn what_is_pending_counts_by_weight() {
    let stats = stats();
    call(&stats, 10 * MILLI, SECOND);
    let now = 60 * SECOND;
    stats.observe(10 * MILLI, now, weighing().decay);
    let idle = stats.load(now, 4, &weighing());
    for _ in 0..4 {
        stats.start(SECOND, weighing().decay);
    }
    assert!((stats.load(now, 4, &weighing()) / idle - 2.0).abs() < 0.01);
    assert!((stats.load(now, 1, &weighing()) / idle - 5.0).abs() < 0.01);
}

#[test]
fn who_comes_back_starts_anew_even_with_calls_still_open() {
    let stats = stats();
    call(&stats, 10 * MILLI, SECOND);
    stats.start(SECOND, weighing().decay);
    stats.fail(SECOND, weighing().decay);
    stats.seen(State::Ejected);
    stats.seen(State::Connecting);
    assert!(stats.is_known());
    stats.seen(State::Ready);
    assert_eq!(stats.load(SECOND, 1, &weighing()), 0.0, "one probe");
    stats.start(SECOND, weighing().decay);
    assert!(stats.load(SECOND, 1, &weighing()) >= UNKNOWN);
}

#[test]
fn streams_that_never_end_are_load_however_long_ago_they_began() {
    let (old, new) = (stats(), stats());
    let decay = weighing().decay;
    for _ in 0..100 {
        old.start(SECOND, weighing().decay);
    }
    old.observe_head(5 * MILLI, SECOND, decay);
    // Ten minutes later another endpoint gets its first stream.
    let now = 600 * SECOND;
    new.start(now, weighing().decay);
    new.observe_head(5 * MILLI, now, decay);
    let later = now + 30 * SECOND;
    let load = |stats: &Stats| stats.load(later, 1, &weighing());
    assert!(load(&new) < load(&old), "{} {}", load(&new), load(&old));
    // And it goes on like this, while nothing but streams comes.
    for second in 631..900 {
        let now = second * SECOND;
        let load = |stats: &Stats| stats.load(now, 1, &weighing());
        let least = if load(&new) < load(&old) { &new } else { &old };
        least.start(now, weighing().decay);
        least.observe_head(5 * MILLI, now, decay);
    }
    let (old, new) = (old.pending(), new.pending());
    assert!(new > 100 && old < 200, "{old} {new}");
}

#[test]
fn who_stalls_after_a_quiet_minute_is_no_better_than_who_answers() {
    let (stalled, answers) = (stats(), stats());
    for stats in [&stalled, &answers] {
        call(stats, 10 * MILLI, SECOND);
    }
    let now = 300 * SECOND;
    let load = |stats: &Stats| stats.load(now, 1, &weighing());
    stalled.start(now, weighing().decay);
    answers.start(now, weighing().decay);
    answers.observe(10 * MILLI, now + 10 * MILLI, weighing().decay);
    assert!(load(&answers) < load(&stalled));
    answers.finish();
    assert!(load(&answers) < load(&stalled));
    stalled.finish();
    let alone = stalled.load(now, 1, &weighing());
    assert!(alone < load(&answers), "it was cancelled: {alone}");
}

#[test]
fn one_that_left_and_is_back_keeps_what_is_known_and_starts_slowly() {
    let stats = stats();
    call(&stats, 10 * MILLI, SECOND);
    let now = 60 * SECOND;
    stats.observe(10 * MILLI, now, weighing().decay);
    assert_eq!(stats.grown(now, &weighing()), 1.0);
    stats.come_back(now);
    assert!(stats.cost(now, &weighing()) > 9.0 * MILLI as f64);
    assert!((stats.grown(now, &weighing()) - 0.1).abs() < 0.01);
    assert!((stats.grown(now + 5 * SECOND, &weighing()) - 0.5).abs() < 0.01);
    // Of whom nothing is known one call finds out first.
    let unknown = self::stats();
    unknown.come_back(now);
    call(&unknown, 10 * MILLI, now + SECOND);
    assert!((unknown.grown(now + SECOND, &weighing()) - 0.1).abs() < 0.01);
}
