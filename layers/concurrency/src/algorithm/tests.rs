//! The algorithms in front of a server of a known capacity, and what must not mislead them.

use super::*;
use crate::meter::{Lesson, Meter};
use ziggurat_core::{Dice, clock};

const MILLISECOND: Duration = Duration::from_millis(1);

/// Serves so many at once, and lets the others wait.
fn latency(capacity: u32, in_flight: u32) -> Duration {
    let queued = f64::from(in_flight) / f64::from(capacity);
    (10 * MILLISECOND).mul_f64(queued.max(1.0))
}

/// Offers more than any limit, for so many windows; the limits on the way.
fn saturate(algorithm: &mut impl Algorithm, capacity: u32, windows: u32) -> Vec<u32> {
    let now = clock::now();
    let mut limits = Vec::new();
    for _ in 0..windows {
        let limit = limits.last().copied().unwrap_or(algorithm.limit());
        let window = Window::new(now, Some(latency(capacity, limit)), limit);
        limits.push(algorithm.update(&window));
    }
    limits
}

/// What the server managed of its capacity, and the most that it was sent.
fn settled(limits: &[u32], capacity: u32) -> (f64, u32) {
    let tail = &limits[limits.len() / 2..];
    let served: u32 = tail.iter().map(|limit| *limit.min(&capacity)).sum();
    let goodput = f64::from(served) / f64::from(capacity) / tail.len() as f64;
    (goodput, *tail.iter().max().unwrap())
}

#[test]
fn vegas_settles_at_the_capacity_and_a_short_queue_from_above_and_below() {
    for (capacity, initial) in [(50, 20), (50, 200), (8, 20), (300, 20)] {
        let vegas = Vegas::new().limits(1, initial, 1_000).unwrap();
        let mut vegas = vegas.dice(Dice::seeded(1));
        let (goodput, most) = settled(&saturate(&mut vegas, capacity, 2_000), capacity);
        let log = f64::from(capacity).log10().floor().max(1.0) as u32;
        assert!(goodput > 0.97, "{goodput} of {capacity}");
        assert!(most <= capacity + 15 * log, "{most} of {capacity}");
    }
}

#[test]
fn vegas_finds_another_capacity() {
    let mut vegas = Vegas::new().dice(Dice::seeded(1));
    for capacity in [50, 20, 100] {
        let (goodput, most) = settled(&saturate(&mut vegas, capacity, 1_000), capacity);
        assert!(goodput > 0.97, "{goodput} of {capacity}");
        assert!(most <= capacity + 30, "{most} of {capacity}");
    }
}

#[test]
fn vegas_does_not_take_its_own_queue_for_the_way_the_server_is() {
    // Hundreds of rounds, in all of which calls queue: the limit does not creep up.
    let mut vegas = Vegas::new().dice(Dice::seeded(1));
    let limits = saturate(&mut vegas, 50, 10_000);
    let (early, late) = (settled(&limits[..500], 50).1, settled(&limits, 50).1);
    assert!(late <= early + 2, "{early} then {late}");
}

#[test]
fn aimd_settles_where_calls_get_slow() {
    let aimd = Aimd::new().slow(11 * MILLISECOND).unwrap();
    for initial in [20, 200] {
        let mut aimd = aimd.limits(1, initial, 200).unwrap();
        let (goodput, most) = settled(&saturate(&mut aimd, 50, 500), 50);
        assert!(goodput > 0.97 && most <= 56, "{goodput}, {most}");
    }
}

#[test]
fn gradient_finds_room_and_stays_where_the_latency_tells() {
    let mut gradient = Gradient2::new().limits(5, 20, 400).unwrap();
    let (goodput, most) = settled(&saturate(&mut gradient, 50, 300), 50);
    assert!(goodput > 0.99 && most <= 130, "{goodput}, {most}");
}

#[test]
fn one_quick_answer_does_not_keep_a_limit_down_for_good() {
    let now = clock::now();
    let quick = Window::new(now, Some(MILLISECOND / 10), 20);
    let mut vegas = Vegas::new().dice(Dice::seeded(1));
    let mut gradient = Gradient2::new().limits(5, 20, 200).unwrap();
    vegas.update(&quick);
    gradient.update(&quick);
    for windows in 0..200 {
        let usual = |limit| Window::new(now, Some(20 * MILLISECOND), limit);
        let (v, g) = (vegas.limit(), gradient.limit());
        let (v, g) = (vegas.update(&usual(v)), gradient.update(&usual(g)));
        assert!(v > 0 && g > 0, "{windows}");
    }
    assert!(vegas.limit() > 100, "{}", vegas.limit());
    assert!(gradient.limit() > 100, "{}", gradient.limit());
}

#[test]
fn a_limit_that_is_not_used_does_not_grow() {
    let quiet = Window::new(clock::now(), Some(MILLISECOND), 9);
    let (mut vegas, mut aimd) = (Vegas::new(), Aimd::new());
    let mut gradient = Gradient2::new();
    for _ in 0..500 {
        assert!(vegas.update(&quiet) <= 20);
        assert_eq!(aimd.update(&quiet), 20);
        assert_eq!(gradient.update(&quiet), 20);
    }
    // It may be at a measurement just now.
    assert!((0..9).any(|_| vegas.update(&quiet) == 20));
}

#[test]
fn what_is_dropped_takes_some_away_and_never_the_last() {
    let none = Window::new(clock::now(), None, 20).dropped(true);
    let (mut vegas, mut aimd) = (Vegas::new(), Aimd::new());
    assert_eq!(vegas.update(&none), 19);
    assert_eq!(aimd.update(&none), 18);
    for _ in 0..100 {
        vegas.update(&none);
        aimd.update(&none);
    }
    assert_eq!((vegas.limit(), aimd.limit()), (1, 1));
}

#[test]
fn no_window_makes_a_limit_of_nonsense() {
    let now = clock::now();
    let strange = [Duration::ZERO, Duration::from_nanos(1), Duration::MAX];
    let mut all: [Box<dyn Algorithm>; 3] = [
        Box::new(Vegas::new()),
        Box::new(Aimd::new()),
        Box::new(Gradient2::new()),
    ];
    for turn in 0..3_000_u32 {
        let latency = strange[turn as usize % 7 % 3];
        let in_flight = [0, 20, u32::MAX][turn as usize % 3];
        let window = Window::new(now, Some(latency), in_flight).dropped(turn % 11 == 0);
        for algorithm in &mut all {
            assert!((1..=1_000).contains(&algorithm.update(&window)));
        }
    }
}

#[test]
fn bounds_and_factors_that_could_never_work_are_refused_by_name() {
    for (field, limits) in [
        ("min", (0, 5, 9)),
        ("max", (5, 5, 4)),
        ("max", (5, 5, u32::MAX)),
        ("initial", (5, 4, 9)),
        ("initial", (5, 10, 9)),
    ] {
        let (min, initial, max) = limits;
        let refused = [
            Vegas::new().limits(min, initial, max).map(drop),
            Aimd::new().limits(min, initial, max).map(drop),
            Gradient2::new().limits(min, initial, max).map(drop),
        ];
        for refused in refused {
            assert_eq!(refused.unwrap_err().field(), field);
        }
    }
    for factor in [f64::NAN, 0.0, 1.0, -1.0, f64::INFINITY] {
        assert_eq!(Aimd::new().factor(factor).unwrap_err().field(), "factor");
        let gradient = Gradient2::new().tolerance(factor / 2.0);
        assert_eq!(gradient.unwrap_err().field(), "tolerance");
    }
    assert!(Aimd::new().slow(Duration::ZERO).is_err());
    assert!(Gradient2::new().queue(0).is_err());
}

#[test]
fn a_window_takes_time_and_ten_calls() {
    let mut meter = Meter::new(Box::new(Aimd::new()));
    let (start, window) = (clock::now(), 100 * MILLISECOND);
    let took = Lesson::Took(MILLISECOND, 1);
    let mut add = |now, lesson, in_flight| {
        let closed = meter.add(now, lesson, in_flight, window)?;
        Some((closed.limit, closed.calls, closed.dropped))
    };
    for n in 0..20 {
        assert_eq!(add(start, took, 20), None, "{n}");
    }
    assert_eq!(add(start + window, took, 20), Some((21, 21, false)));
    let later = start + 2 * window;
    for n in 0..9 {
        assert_eq!(add(later, took, 20), None, "{n}");
    }
    // One of ten says nothing.
    assert_eq!(add(later, Lesson::Dropped, 1), Some((22, 9, false)));
}

#[test]
fn a_window_is_one_of_drops_if_more_than_a_fifth_of_the_calls_were_dropped_for_which_some_stand() {
    let (start, window) = (clock::now(), 100 * MILLISECOND);
    let late = Lesson::TimedOut(50 * MILLISECOND, 16);
    for (lesson, least) in [(Lesson::Dropped, 41), (late, 3)] {
        for dropped in [least - 1, least] {
            let mut meter = Meter::new(Box::new(Aimd::new()));
            for _ in 0..10 {
                meter.add(start, Lesson::Took(MILLISECOND, 16), 20, window);
            }
            for _ in 1..dropped {
                meter.add(start, lesson, 20, window);
            }
            let closed = meter.add(start + window, lesson, 20, window).unwrap();
            assert_eq!(closed.dropped, dropped == least, "{lesson:?}: {dropped}");
        }
    }
}

#[test]
fn a_server_that_stops_answering_while_vegas_measures_gets_less_all_the_same() {
    let mut vegas = Vegas::new().limits(1, 100, 1_000).unwrap();
    // In whichever window it happens: some are those in which it drains.
    for windows in 0..60 {
        let now = clock::now();
        let before = saturate(&mut vegas, 100, 1);
        let mut hit = vegas.clone();
        let silent = Window::new(now, None, before[0]).dropped(true);
        let limits: Vec<_> = (0..400).map(|_| hit.update(&silent)).collect();
        assert_eq!(limits.last(), Some(&1), "after {windows}: {limits:?}");
        assert!(limits.is_sorted_by(|a, b| a >= b), "{limits:?}");
    }
}
