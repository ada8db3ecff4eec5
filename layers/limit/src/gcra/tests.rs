//! The law: in any window of length `t`, at most `burst + rate * t`.

use super::*;
use std::time::Duration;
use ziggurat_core::Dice;

const SECOND: u64 = 1_000_000_000;

fn rate(count: u32, per_nanos: u64, burst: u32) -> Rate {
    let rate = Rate::new(count, Duration::from_nanos(per_nanos)).unwrap();
    rate.burst(burst).unwrap()
}

fn taken(gcra: &Gcra, rate: &Rate, now: u64, calls: usize) -> usize {
    (0..calls).filter(|_| gcra.take(rate, now).is_ok()).count()
}

/// In every window between two admissions; `count` calls come in `per` nanoseconds.
fn assert_law(admitted: &[u64], count: u32, per: u64, burst: u32, seed: u64) {
    for (first, start) in admitted.iter().enumerate() {
        for (more, end) in admitted[first..].iter().enumerate() {
            let time = u128::from(end - start);
            let most = u128::from(burst) + time * u128::from(count) / u128::from(per);
            // `more` counts from 0.
            assert!((more as u128) < most, "seed {seed}: {start}..={end}");
        }
    }
}

#[test]
fn a_burst_and_then_the_rate() {
    let rate = rate(10, SECOND, 20);
    let gcra = Gcra::new(&rate);
    assert_eq!(taken(&gcra, &rate, 0, 100), 20);
    let more: usize = (1..=1_000)
        .map(|step| taken(&gcra, &rate, step * SECOND / 100, 3))
        .sum();
    assert_eq!(more, 100);
}

#[test]
fn the_wait_is_exact() {
    let dice = Dice::seeded(5);
    for seed in 0..1_000 {
        let count = 1 + dice.below(1_000) as u32;
        let rate = rate(count, SECOND, 1 + dice.below(10) as u32);
        let gcra = Gcra::new(&rate);
        let mut now = dice.below(1_000_000_000) as u64;
        while gcra.take(&rate, now).is_ok() {}
        for _ in 0..3 {
            let wait = gcra.take(&rate, now).unwrap_err();
            assert_eq!(gcra.take(&rate, now + wait - 1), Err(1), "seed {seed}");
            now += wait;
            assert_eq!(gcra.take(&rate, now), Ok(()), "seed {seed}");
        }
    }
}

#[test]
fn no_pattern_gets_more_than_the_burst_and_the_rate() {
    for seed in 0..2_000 {
        let dice = Dice::seeded(seed);
        let count = 1 + dice.below(2_000) as u32;
        let per = 1 + dice.below(3) as u64 * SECOND + dice.below(1_000_000_000) as u64;
        let per = per.max(count.into());
        let burst = 1 + dice.below(30) as u32;
        let rate = rate(count, per, burst);
        let gcra = Gcra::new(&rate);
        let interval = per / u64::from(count) + 1;
        let (mut now, mut admitted) = (0_u64, Vec::new());
        for _ in 0..200 {
            let step = dice.below(4 * interval as usize) as u64;
            now = match dice.below(20) {
                0 => now + 3_600 * SECOND,
                // The clock of another thread is a little behind.
                1 => now.saturating_sub(step),
                2..10 => now,
                _ => now + step,
            };
            if gcra.take(&rate, now).is_ok() {
                admitted.push(now);
            }
        }
        assert!(!admitted.is_empty());
        admitted.sort_unstable();
        assert_law(&admitted, count, per, burst, seed);
    }
}

#[test]
fn who_asks_all_the_time_gets_all_of_the_rate() {
    for (count, burst) in [(3, 1), (7, 7), (1_000, 10), (999_983, 1)] {
        let rate = rate(count, SECOND, burst);
        let gcra = Gcra::new(&rate);
        let steps = 4 * u64::from(count);
        let got: usize = (0..=steps)
            .map(|step| taken(&gcra, &rate, step * SECOND / steps, 1 + burst as usize))
            .sum();
        let due = (count + burst) as usize;
        // One step late at most, each time; and a tick for each interval.
        assert!(
            (due * 4 / 5..=due).contains(&got),
            "{count}: {got} of {due}"
        );
    }
}

#[test]
fn a_jump_of_the_clock_mints_one_burst() {
    let rate = rate(10, SECOND, 20);
    let gcra = Gcra::new(&rate);
    assert_eq!(taken(&gcra, &rate, 0, 100), 20);
    assert_eq!(taken(&gcra, &rate, 3_600 * SECOND, 100), 20);
    assert_eq!(taken(&gcra, &rate, 3_599 * SECOND, 100), 0);
    assert_eq!(taken(&gcra, &rate, u64::MAX / TICKS / 2, 100), 20);
    let _ = taken(&gcra, &rate, u64::MAX, 100);
}

#[test]
fn there_is_no_edge_to_get_twice_the_burst_at() {
    let rate = rate(10, SECOND, 10);
    let gcra = Gcra::new(&rate);
    let before = taken(&gcra, &rate, SECOND - 1, 100);
    let after = taken(&gcra, &rate, SECOND, 100);
    assert_eq!((before, after), (10, 0));
}

#[test]
fn eight_threads_never_exceed_it() {
    let rate = rate(1_000, SECOND, 50);
    let gcra = Gcra::new(&rate);
    let clock = AtomicU64::new(0);
    let got: usize = std::thread::scope(|scope| {
        let work = || {
            let at = |_| gcra.take(&rate, clock.fetch_add(20_000, Ordering::Relaxed));
            (0..10_000).map(at).filter(Result::is_ok).count()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|done| done.join().unwrap()).sum()
    });
    // 1.6 seconds of 1,000 a second.
    assert!((1_600..=1_650).contains(&got), "{got}");
}

#[test]
fn another_rate_keeps_what_is_owed_and_no_more_than_a_burst() {
    let (hourly, quick) = (rate(1, 3_600 * SECOND, 20), rate(1_000, SECOND, 5));
    let gcra = Gcra::new(&hourly);
    assert_eq!(taken(&gcra, &hourly, 0, 100), 20);
    // Twenty were owed, at an hour each; five are, at a millisecond each.
    assert_eq!(gcra.take(&quick, 0), Err(1_000_000));
    assert_eq!(taken(&gcra, &quick, 3_000_000, 100), 3);
    assert_eq!(taken(&gcra, &hourly, 3_000_000, 100), 15);
    assert_eq!(gcra.take(&hourly, 3_000_000), Err(3_600 * SECOND));
}

#[test]
fn changing_the_rate_back_and_forth_mints_nothing() {
    let rates = [rate(10, SECOND, 20), rate(1_000, SECOND, 20)];
    let gcra = Gcra::new(&rates[0]);
    let got: usize = (0..1_000).map(|n| taken(&gcra, &rates[n % 2], 0, 1)).sum();
    assert_eq!(got, 20);
}
