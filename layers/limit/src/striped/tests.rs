//! The law holds with pieces out: in every window, for every pattern, and when the rate changes.

use super::{
    ask::{LEAST, PART},
    *,
};
use crate::gcra::TICKS;
use std::{cell::Cell, time::Duration};
use ziggurat_core::Dice;

const SECOND: u64 = 1_000_000_000;
const SLOTS: usize = 4;
/// The least for which pieces are taken.
const LARGE: u32 = (LEAST * PART * SLOTS) as u32;

fn rate(count: u32, per_nanos: u64, burst: u32) -> Rate {
    let rate = Rate::new(count, Duration::from_nanos(per_nanos)).unwrap();
    rate.burst(burst).unwrap()
}

/// A limit that several threads have met at.
fn striped(slots: usize) -> Striped {
    let limit = Striped::new();
    let stripes: Box<[_]> = (0..slots).map(|_| Stripe::new()).collect();
    limit.stripes.set(stripes).unwrap();
    limit
}

fn take(limit: &Striped, slot: usize, rate: Rate, cost: u32, now: u64) -> Result<(), u64> {
    let stripes = limit.stripes.get().unwrap();
    limit.take_striped(stripes, slot % stripes.len(), cost, (rate, now), || {
        (rate, now)
    })
}

fn taken(limit: &Striped, slot: usize, rate: Rate, now: u64, calls: usize) -> usize {
    let calls = (0..calls).filter(|_| take(limit, slot, rate, 1, now).is_ok());
    calls.count()
}

/// What is in the stripes now.
fn pieces(limit: &Striped) -> Vec<Piece> {
    let stripes = limit.stripes.get().unwrap();
    stripes.iter().map(Stripe::guess).collect()
}

/// In every window between two admissions; each is a time and a cost.
fn assert_law(admitted: &mut [(u64, u32)], rate: Rate, seed: u64) {
    admitted.sort_unstable();
    let per = rate.period().as_nanos();
    for (first, (start, _)) in admitted.iter().enumerate() {
        let mut sum = 0_u128;
        for (end, cost) in &admitted[first..] {
            sum += u128::from(*cost);
            let time = u128::from(end - start);
            let most = u128::from(rate.at_once()) + time * u128::from(rate.count()) / per;
            assert!(sum <= most, "seed {seed}: {sum} in {start}..={end}");
        }
    }
}

#[test]
fn a_burst_from_any_number_of_threads_is_the_burst() {
    for burst in [1, 5, LARGE - 1, LARGE, 10 * LARGE, 999] {
        let (rate, limit) = (rate(10, SECOND, burst), striped(SLOTS));
        let calls = 0..2 * burst as usize;
        let got = calls
            .filter(|call| take(&limit, call % SLOTS, rate, 1, 0).is_ok())
            .count();
        assert_eq!(got, burst as usize);
    }
}

#[test]
fn no_pattern_of_threads_and_costs_gets_more_than_the_burst_and_the_rate() {
    let mut held = 0;
    for seed in 0..1_000 {
        let dice = Dice::seeded(seed);
        let below = |n: usize| dice.below(n) as u64;
        let count = 1 + below(2_000) as u32;
        let per = (SECOND / 2 + below(3_000_000_000)).max(count.into());
        let burst = LARGE + below(100) as u32;
        let rate = rate(count, per, burst);
        let limit = striped(SLOTS);
        let interval = per / u64::from(count) + 1;
        let most = 1 + below(5) as u32;
        let (mut now, mut latest, mut admitted) = (0_u64, 0, Vec::new());
        for _ in 0..300 {
            let step = below(4 * interval as usize);
            now = match dice.below(24) {
                0 => now + 3_600 * SECOND,
                // The clock of another thread is a little behind.
                1 => now.saturating_sub(step),
                2 => now + below(interval as usize * burst as usize),
                3..20 => now,
                _ => now + step,
            };
            latest = now.max(latest);
            let counted = Cell::new(now);
            let present = || {
                counted.set(latest);
                (rate, latest)
            };
            let cost = 1 + below(most as usize) as u32;
            let stripes = limit.stripes.get().unwrap();
            let slot = dice.below(SLOTS);
            if limit
                .take_striped(stripes, slot, cost, (rate, now), present)
                .is_ok()
            {
                admitted.push((counted.get(), cost));
            }
            held += usize::from(pieces(&limit).iter().any(|piece| piece.to > piece.from));
        }
        assert_law(&mut admitted, rate, seed);
    }
    assert!(held > 50_000, "pieces were out: {held}");
}

#[test]
fn what_idle_threads_hoard_is_gone_when_it_was_not_used_in_time() {
    for idle in 0..200 {
        let (rate, limit) = (rate(100, SECOND, 640), striped(SLOTS));
        let mut admitted = Vec::new();
        for slot in 0..SLOTS {
            take(&limit, slot, rate, 1, 0).unwrap();
            admitted.push((0, 1));
        }
        assert!(pieces(&limit).iter().all(|piece| piece.to > piece.from));
        let now = idle * SECOND / 20;
        for slot in 0..SLOTS {
            let got = taken(&limit, slot, rate, now, 1_000);
            admitted.extend((0..got).map(|_| (now, 1)));
        }
        // Not more than the burst, and not less by more than the part that was in pieces.
        let spike = admitted.len() - SLOTS;
        assert!((640 - 640 / PART..=640).contains(&spike), "{idle}: {spike}");
        assert_law(&mut admitted, rate, idle);
    }
}

#[test]
fn nobody_is_refused_while_another_thread_has_some_left() {
    for cost in [1, 7] {
        let (rate, limit) = (rate(1, SECOND, 700), striped(SLOTS));
        for slot in 0..SLOTS {
            take(&limit, slot, rate, 1, 0).unwrap();
        }
        let left = 700 - SLOTS as u32;
        let calls = (0..1_000).filter(|_| take(&limit, 0, rate, cost, 0).is_ok());
        assert_eq!(calls.count() as u32, left / cost);
        let last = (0..10).filter(|_| take(&limit, 3, rate, 1, 0).is_ok());
        assert_eq!(last.count() as u32, left % cost);
    }
}

#[test]
fn the_wait_is_exact_with_pieces_out() {
    for seed in 0..2_000 {
        let dice = Dice::seeded(seed);
        let count = 1 + dice.below(1_000) as u32;
        let rate = rate(count, SECOND, LARGE + dice.below(100) as u32);
        let limit = striped(SLOTS);
        let mut now = dice.below(1_000_000_000) as u64;
        for _ in 0..300 {
            let (slot, cost) = (dice.below(SLOTS), 1 + dice.below(9) as u32);
            now += dice.below(SECOND as usize / count as usize + 1) as u64;
            let told = limit.wait(rate, cost.into(), now);
            if let Err(wait) = take(&limit, slot, rate, cost, now) {
                let other = dice.below(SLOTS);
                let early = take(&limit, other, rate, cost, now + wait - 1);
                assert_eq!(early, Err(1), "seed {seed}");
                assert!(told <= wait, "seed {seed}: {told} of {wait}");
                now += wait;
                assert_eq!(take(&limit, other, rate, cost, now), Ok(()), "seed {seed}");
            }
        }
    }
}

#[test]
fn who_asks_all_the_time_gets_all_of_the_rate() {
    for (count, burst) in [(1_000, LARGE), (999_983, 4 * LARGE)] {
        let (rate, limit) = (rate(count, SECOND, burst), striped(SLOTS));
        let steps = u64::from(count) / 8;
        let got: usize = (0..=steps)
            .map(|step| {
                taken(
                    &limit,
                    step as usize,
                    rate,
                    step * SECOND / steps,
                    2 * burst as usize,
                )
            })
            .sum();
        let due = (count + burst) as usize;
        // A tick for each interval.
        assert!((due * 999 / 1_000..=due).contains(&got), "{got} of {due}");
    }
}

#[test]
fn no_change_of_the_rate_gives_twice_what_was_in_pieces() {
    for seed in 0..300 {
        let dice = Dice::seeded(seed);
        let limit = striped(SLOTS);
        let mut now = 0;
        for _ in 0..20 {
            let count = 1 + dice.below(1_000) as u32;
            let per = (1 + dice.below(100) as u64) * SECOND * [1, 36][dice.below(2)];
            let burst = 1 + dice.below(4 * LARGE as usize) as u32;
            let rate = rate(count, per, burst);
            let interval = per.div_ceil(count.into());
            let mut admitted = Vec::new();
            for _ in 0..dice.below(200) {
                match take(&limit, dice.below(SLOTS), rate, 1, now) {
                    Ok(()) => admitted.push((now, 1)),
                    Err(wait) => assert!(wait <= interval * 2, "seed {seed}: {wait}"),
                }
                if dice.below(4) == 0 {
                    now += dice.below(8 * interval as usize) as u64;
                }
            }
            assert_law(&mut admitted, rate, seed);
        }
    }
}

#[test]
fn what_a_slower_rate_had_in_pieces_is_void_when_its_time_comes() {
    let slow = rate(1, 3_600 * SECOND, LARGE);
    let fast = rate(1, SECOND, LARGE);
    let limit = striped(SLOTS);
    take(&limit, 0, slow, 1, 0).unwrap();
    take(&limit, 1, slow, 1, 0).unwrap();
    // The TAT is hours ahead, and brought back: to where it may be at most, as pieces were out.
    assert_eq!(take(&limit, 2, fast, 1, 0), Err(SECOND));
    for half_hours in 1..10 {
        let now = half_hours * 1_800 * SECOND;
        let got: usize = (0..SLOTS)
            .map(|slot| taken(&limit, slot, fast, now, 1_000))
            .sum();
        assert_eq!(got, LARGE as usize);
    }
}

#[test]
fn calls_at_a_new_rate_that_used_a_piece_of_the_old_one_are_counted() {
    let slow = rate(1, 3_600 * SECOND, LARGE);
    let fast = rate(1, SECOND, LARGE);
    let limit = striped(SLOTS);
    take(&limit, 0, slow, 1, 0).unwrap();
    assert!(pieces(&limit)[0].to > 7_300 * SECOND * TICKS);
    // The piece begins in an hour, when the rate is another.
    let got = taken(&limit, 0, fast, 2 * 3_600 * SECOND - SECOND, 1_000);
    assert_eq!(got, LARGE as usize);
}

#[test]
fn what_others_take_while_one_is_put_aside_with_all_stripes_is_not_given_again() {
    let (rate, limit) = (rate(1_000, SECOND, LARGE), striped(SLOTS));
    take(&limit, 0, rate, LARGE / 2, 0).unwrap();
    assert!(pieces(&limit)[0].to > 0);
    let others = Cell::new(None);
    // Who was late twice by others' clocks asks for the time, and is put aside with it for a second.
    let present = || match others.get() {
        None => {
            others.set(Some(taken(&limit, 1, rate, SECOND, 1_000)));
            (rate, 0)
        }
        Some(_) => (rate, SECOND),
    };
    let stripes = limit.stripes.get().unwrap();
    let one = limit.bring_back(stripes, 1, &present).is_ok();
    assert_eq!(others.get(), Some(LARGE as usize));
    let more: usize = (0..SLOTS)
        .map(|slot| taken(&limit, slot, rate, SECOND, 1_000))
        .sum();
    assert_eq!((one, more), (false, 0));
}

#[test]
fn who_was_late_by_others_clocks_leaves_them_their_pieces() {
    let (rate, limit) = (rate(1_000, SECOND, LARGE), striped(SLOTS));
    take(&limit, 0, rate, 1, 0).unwrap();
    let before = pieces(&limit);
    assert!(before[0].to > before[0].from);
    let stripes = limit.stripes.get().unwrap();
    limit.bring_back(stripes, 1, &|| (rate, 0)).unwrap();
    assert_eq!(taken(&limit, 0, rate, 0, 1_000), LARGE as usize - 2);
}

#[test]
fn a_stripe_that_is_held_is_not_let_go_by_who_cannot_hold_it() {
    let stripe = Stripe::new();
    let held = stripe.try_hold();
    assert!(held.is_some());
    for _ in 0..2 {
        assert!(stripe.try_hold().is_none());
    }
    drop(held);
    assert!(stripe.try_hold().is_some());
}

#[test]
fn one_thread_needs_no_stripes_and_two_that_meet_get_them() {
    let rate = Rate::per_second(1_000_000_000).unwrap();
    let limit = Striped::new();
    for _ in 0..1_000 {
        limit.take(rate, 1, 0, || (rate, 0)).unwrap();
    }
    assert!(limit.stripes.get().is_none());
    // As many as it takes; nobody knows when the machine lets two run at once.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while limit.stripes.get().is_none() {
                    limit.take(rate, 1, 0, || (rate, 0)).unwrap();
                }
            });
        }
    });
}

#[test]
fn eight_threads_get_the_burst_and_the_rate_and_nothing_else() {
    for slots in [2, 4, 16] {
        let (rate, limit) = (rate(1_000, SECOND, 1_000), striped(slots));
        let clock = std::sync::atomic::AtomicU64::new(0);
        let got: usize = std::thread::scope(|scope| {
            let work = || {
                let at = |_| {
                    let now = clock.fetch_add(20_000, std::sync::atomic::Ordering::Relaxed);
                    let present = || (rate, clock.load(std::sync::atomic::Ordering::Relaxed));
                    limit.take(rate, 1, now, present)
                };
                (0..10_000).map(at).filter(Result::is_ok).count()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|done| done.join().unwrap()).sum()
        });
        // 1.6 seconds of 1,000 a second; who was put aside holding a piece may have let it go by.
        assert!((2_200..=2_600).contains(&got), "{got}");
    }
}
