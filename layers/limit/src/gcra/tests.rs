//! The law: in any window of length `t`, at most `burst + rate * t`.

use super::*;
use std::{cell::Cell, sync::atomic::AtomicUsize, time::Duration};
use ziggurat_core::{Dice, Live};

const SECOND: u64 = 1_000_000_000;

fn rate(count: u32, per_nanos: u64, burst: u32) -> Rate {
    let rate = Rate::new(count, Duration::from_nanos(per_nanos)).unwrap();
    rate.burst(burst).unwrap()
}

/// A call at a rate that nobody changes, by a clock that says the same whenever it is asked.
fn take(gcra: &Gcra, rate: Rate, now: u64) -> Result<(), u64> {
    gcra.take(rate, 1, now, || (rate, now))
}

fn taken(gcra: &Gcra, rate: Rate, now: u64, calls: usize) -> usize {
    (0..calls).filter(|_| take(gcra, rate, now).is_ok()).count()
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
    let gcra = Gcra::new();
    assert_eq!(taken(&gcra, rate, 0, 100), 20);
    let more: usize = (1..=1_000)
        .map(|step| taken(&gcra, rate, step * SECOND / 100, 3))
        .sum();
    assert_eq!(more, 100);
}

#[test]
fn the_wait_is_exact() {
    let dice = Dice::seeded(5);
    for seed in 0..1_000 {
        let count = 1 + dice.below(1_000) as u32;
        let rate = rate(count, SECOND, 1 + dice.below(10) as u32);
        let gcra = Gcra::new();
        let mut now = dice.below(1_000_000_000) as u64;
        while take(&gcra, rate, now).is_ok() {}
        for _ in 0..3 {
            let wait = take(&gcra, rate, now).unwrap_err();
            assert_eq!(take(&gcra, rate, now + wait - 1), Err(1), "seed {seed}");
            now += wait;
            assert_eq!(take(&gcra, rate, now), Ok(()), "seed {seed}");
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
        let gcra = Gcra::new();
        let interval = per / u64::from(count) + 1;
        let (mut now, mut latest, mut admitted) = (0_u64, 0, Vec::new());
        for _ in 0..200 {
            let step = dice.below(4 * interval as usize) as u64;
            now = match dice.below(20) {
                0 => now + 3_600 * SECOND,
                // The clock of another thread is a little behind.
                1 => now.saturating_sub(step),
                2..10 => now,
                _ => now + step,
            };
            latest = now.max(latest);
            let counted = Cell::new(now);
            let present = || {
                counted.set(latest);
                (rate, latest)
            };
            if gcra.take(rate, 1, now, present).is_ok() {
                admitted.push(counted.get());
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
        let gcra = Gcra::new();
        let steps = 4 * u64::from(count);
        let got: usize = (0..=steps)
            .map(|step| taken(&gcra, rate, step * SECOND / steps, 1 + burst as usize))
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
    let gcra = Gcra::new();
    assert_eq!(taken(&gcra, rate, 0, 100), 20);
    assert_eq!(taken(&gcra, rate, 3_600 * SECOND, 100), 20);
    let late = || (rate, 3_600 * SECOND);
    assert!(gcra.take(rate, 1, 3_599 * SECOND, late).is_err());
    assert_eq!(taken(&gcra, rate, u64::MAX / TICKS / 2, 100), 20);
    let _ = taken(&gcra, rate, u64::MAX, 100);
}

#[test]
fn there_is_no_edge_to_get_twice_the_burst_at() {
    let rate = rate(10, SECOND, 10);
    let gcra = Gcra::new();
    let before = taken(&gcra, rate, SECOND - 1, 100);
    let after = taken(&gcra, rate, SECOND, 100);
    assert_eq!((before, after), (10, 0));
}

#[test]
fn eight_threads_never_exceed_it() {
    let rate = rate(1_000, SECOND, 50);
    let gcra = Gcra::new();
    let clock = AtomicU64::new(0);
    let got: usize = std::thread::scope(|scope| {
        let work = || {
            let at = |_| {
                let now = clock.fetch_add(20_000, Ordering::Relaxed);
                gcra.take(rate, 1, now, || (rate, clock.load(Ordering::Relaxed)))
            };
            (0..10_000).map(at).filter(Result::is_ok).count()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|done| done.join().unwrap()).sum()
    });
    // 1.6 seconds of 1,000 a second.
    assert!((1_600..=1_650).contains(&got), "{got}");
}

#[test]
fn a_quicker_rate_is_in_force_at_the_next_call() {
    let (hourly, quick) = (rate(1, 3_600 * SECOND, 20), rate(1_000, SECOND, 5));
    let gcra = Gcra::new();
    assert_eq!(taken(&gcra, hourly, 0, 100), 20);
    // Twenty hours were owed; no more than a burst is, and the next call may go.
    assert_eq!(taken(&gcra, quick, 0, 100), 1);
    assert_eq!(take(&gcra, quick, 0), Err(1_000_000));
    assert_eq!(taken(&gcra, quick, 3_000_000, 100), 3);
    assert_eq!(taken(&gcra, quick, SECOND, 100), 5);
}

#[test]
fn a_slower_rate_is_in_force_at_the_next_call() {
    let (quick, hourly) = (rate(1_000, SECOND, 5), rate(1, 3_600 * SECOND, 2));
    let gcra = Gcra::new();
    assert_eq!(taken(&gcra, quick, 0, 100), 5);
    // Five milliseconds were owed, and are still.
    assert_eq!(taken(&gcra, hourly, 0, 100), 1);
    assert_eq!(take(&gcra, hourly, 0), Err(5_000_000));
    assert_eq!(take(&gcra, hourly, 5_000_000), Ok(()));
    assert_eq!(take(&gcra, hourly, 5_000_000), Err(3_600 * SECOND));
}

#[test]
fn no_change_of_the_rate_starves_anybody_and_each_rate_keeps_its_law() {
    for seed in 0..2_000 {
        let dice = Dice::seeded(seed);
        let gcra = Gcra::new();
        let mut now = 0;
        for _ in 0..20 {
            let count = 1 + dice.below(1_000) as u32;
            let per = (1 + dice.below(100) as u64) * SECOND * 36;
            let burst = 1 + dice.below(20) as u32;
            let rate = rate(count, per, burst);
            let interval = per.div_ceil(count.into());
            let mut admitted = Vec::new();
            for _ in 0..dice.below(60) {
                match take(&gcra, rate, now) {
                    Ok(()) => admitted.push(now),
                    Err(wait) => {
                        assert!(wait <= interval * 2, "seed {seed}: {wait} of {interval}");
                        assert_eq!(take(&gcra, rate, now + wait - 1), Err(1), "seed {seed}");
                    }
                }
                now += dice.below(2 * interval as usize) as u64;
            }
            assert_law(&admitted, count, per, burst, seed);
        }
    }
}

/// Two threads meet at each limit of many, so that their calls overlap in every way there is.
fn race(trials: usize, one: impl Fn(usize) + Send, other: impl Fn(usize) + Send) {
    let (a, b) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let meet = |mine: &AtomicUsize, other: &AtomicUsize, n: usize| {
        mine.store(n + 1, Ordering::SeqCst);
        for spin in 1.. {
            if other.load(Ordering::SeqCst) > n {
                return;
            }
            // On a machine that has other things to do, too.
            if spin % 4_096 == 0 {
                std::thread::yield_now();
            }
            std::hint::spin_loop();
        }
    };
    let (a, b, meet) = (&a, &b, &meet);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for n in 0..trials {
                meet(a, b, n);
                one(n);
            }
        });
        scope.spawn(move || {
            for n in 0..trials {
                meet(b, a, n);
                (0..n % 16).for_each(|_| std::hint::spin_loop());
                other(n);
            }
        });
    });
}

#[test]
fn a_call_that_races_with_a_change_to_a_quicker_rate_starves_nobody() {
    let (slow, fast) = (rate(1, 3_600 * SECOND, 1), rate(1_000, SECOND, 1_000));
    let trials = if cfg!(debug_assertions) {
        2_000
    } else {
        100_000
    };
    let limits: Vec<_> = (0..trials).map(|_| Gcra::new()).collect();
    let present = || (fast, SECOND);
    race(
        trials,
        // It was late to hear of the change.
        |n| _ = limits[n].take(slow, 1, SECOND, present),
        |n| _ = limits[n].take(fast, 1, SECOND, present),
    );
    for limit in &limits {
        assert_eq!(take(limit, fast, 61 * SECOND), Ok(()));
        assert!(taken(limit, fast, 61 * SECOND, 2_000) < 1_000);
        assert_eq!(taken(limit, fast, 63 * SECOND, 2_000), 1_000);
    }
}

#[test]
fn a_call_that_is_late_to_hear_of_a_slower_rate_takes_no_more_than_it_allows() {
    let (slow, fast) = (rate(1, 3_600 * SECOND, 20), rate(1_000, SECOND, 5));
    let gcra = Gcra::new();
    assert_eq!(taken(&gcra, slow, SECOND, 100), 20);
    for _ in 0..100 {
        let waits = gcra.take(fast, 1, SECOND, || (slow, SECOND));
        assert_eq!(waits, Err(3_600 * SECOND));
    }
}

#[test]
fn eight_threads_under_a_rate_that_changes_keep_the_quicker_of_the_two() {
    let rates = [rate(1, 3_600 * SECOND, 1), rate(1_000, SECOND, 50)];
    let (gcra, clock) = (Gcra::new(), AtomicU64::new(0));
    let (setter, live) = Live::channel(rates[1]);
    let call = || {
        let now = clock.fetch_add(20_000, Ordering::Relaxed);
        // Every hundredth call of all changes the rate, 800 times in all.
        let nth = now / 20_000;
        if nth.is_multiple_of(100) {
            setter.set(rates[usize::from((nth / 100).is_multiple_of(2))]);
        }
        gcra.take(live.get(), 1, now, || {
            (live.get(), clock.load(Ordering::Relaxed))
        })
        .is_ok()
    };
    let got: usize = std::thread::scope(|scope| {
        let work = || (0..10_000).filter(|_| call()).count();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|done| done.join().unwrap()).sum()
    });
    // Of 1.6 seconds half are at 1,000 a second; a change brings one call, a late one another.
    assert!((400..=50 + 1_600 + 2 * 800).contains(&got), "{got}");
    // Nothing is left of the slow one.
    setter.set(rates[1]);
    let now = clock.load(Ordering::Relaxed);
    let waits = gcra.take(live.get(), 1, now, || (live.get(), now)).err();
    assert!(waits.unwrap_or(0) <= SECOND, "{waits:?}");
    assert_eq!(taken(&gcra, rates[1], now + SECOND, 100), 50);
}

#[test]
fn the_slowest_and_the_quickest_rate_work_to_the_end_of_time() {
    let month = Duration::from_secs(30 * 86_400);
    for rate in [
        Rate::new(1, month).unwrap().burst(12).unwrap(),
        Rate::per_second(1_000_000_000)
            .unwrap()
            .burst(u32::MAX)
            .unwrap(),
    ] {
        let gcra = Gcra::new();
        for now in [0, 1, SECOND, u64::MAX / TICKS, u64::MAX] {
            assert_eq!(take(&gcra, rate, now), Ok(()));
        }
    }
}

#[test]
fn what_is_given_back_at_once_is_there_again() {
    let rate = rate(10, SECOND, 20);
    let gcra = Gcra::new();
    for now in [0, SECOND / 3, 3_600 * SECOND] {
        let got = taken(&gcra, rate, now, 100);
        for _ in 0..got {
            gcra.give_back(|_| true, rate, 1, now, || (rate, now));
        }
        assert_eq!(taken(&gcra, rate, now, 100), got);
    }
}

#[test]
fn who_is_admitted_while_others_give_back_is_within_the_law() {
    let mut given = 0;
    for seed in 0..2_000 {
        let dice = Dice::seeded(seed);
        let count = 1 + dice.below(2_000) as u32;
        let per = (SECOND + dice.below(1_000_000_000) as u64).max(count.into());
        let burst = 1 + dice.below(10) as u32;
        let rate = rate(count, per, burst);
        let gcra = Gcra::new();
        let interval = (per / u64::from(count) + 1) as usize;
        let (mut now, mut admitted, mut undecided) = (0_u64, Vec::new(), Vec::new());
        for _ in 0..400 {
            now += match dice.below(4) {
                0 => dice.below(2 * interval),
                1 => dice.below(interval / 4 + 1),
                _ => 0,
            } as u64;
            let before = gcra.tat();
            if take(&gcra, rate, now).is_ok() {
                match dice.below(2) {
                    0 => admitted.push(now),
                    _ => undecided.push(now),
                }
            } else if dice.below(2) == 0 {
                assert_eq!(gcra.tat(), before);
            }
            while dice.below(3) == 0 && !undecided.is_empty() {
                let since = undecided.swap_remove(dice.below(undecided.len()));
                let before = gcra.tat();
                gcra.give_back(|_| true, rate, 1, since, || (rate, now));
                given += usize::from(gcra.tat() < before);
            }
        }
        admitted.sort_unstable();
        assert_law(&admitted, count, per, burst, seed);
    }
    assert!(given > 50_000, "{given}");
}

#[test]
fn nothing_is_given_back_to_another_rate_or_after_its_time() {
    let (slow, fast) = (rate(1, SECOND, 5), rate(10, SECOND, 5));
    let gcra = Gcra::new();
    assert_eq!(taken(&gcra, slow, 0, 2), 2);
    let before = gcra.tat();
    gcra.give_back(|_| true, slow, 1, 0, || (fast, 0));
    gcra.give_back(|_| true, slow, 1, 0, || (slow, SECOND));
    gcra.give_back(|_| false, slow, 1, 0, || (slow, 0));
    assert_eq!(gcra.tat(), before);
    // A third of it has gone by.
    gcra.give_back(|_| true, slow, 3, 0, || (slow, SECOND));
    assert_eq!(gcra.tat(), before);
    gcra.give_back(|_| true, slow, 1, 0, || (slow, SECOND / 4));
    assert_eq!(gcra.tat(), before - 3 * SECOND / 4 * TICKS);
}
