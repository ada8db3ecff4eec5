//! Two threads and their pieces, in every order that the memory model allows.

use super::{
    ask::{LEAST, PART},
    *,
};
use loom::{sync::Arc, thread};
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;
const SLOTS: usize = 2;
const BURST: u32 = (LEAST * PART * SLOTS) as u32;

fn rate(seconds: u64) -> Rate {
    let rate = Rate::new(1, Duration::from_secs(seconds)).unwrap();
    rate.burst(BURST).unwrap()
}

fn striped() -> Arc<Striped> {
    let limit = Striped::new();
    let stripes: Box<[_]> = (0..SLOTS).map(|_| Stripe::new()).collect();
    limit.stripes.set(stripes).unwrap();
    Arc::new(limit)
}

fn take(limit: &Striped, slot: usize, rate: Rate, cost: u32, now: u64) -> u32 {
    let stripes = limit.stripes.get().unwrap();
    // Whoever asks anew is told the latest time of these tests.
    let present = || (rate, now.max(3 * SECOND / 2));
    let taken = limit.take_striped(stripes, slot, cost, (rate, now), present);
    if taken.is_ok() { cost } else { 0 }
}

/// What one thread can still take at this moment, one by one.
fn drain_of(slot: usize, limit: &Striped, rate: Rate, now: u64) -> u32 {
    let calls = 0..2 * BURST;
    calls.map(|_| take(limit, slot, rate, 1, now)).sum()
}

fn drain(limit: &Striped, rate: Rate, now: u64) -> u32 {
    drain_of(0, limit, rate, now)
}

/// There are many steps in a drain.
fn model(test: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.max_branches = 20_000;
    model.preemption_bound = Some(2);
    model.check(test);
}

#[test]
fn loom_two_threads_take_and_steal_what_is_left_exactly() {
    model(|| {
        let (rate, limit) = (rate(1), striped());
        // A piece of two is in the first stripe; one is left in all.
        assert_eq!(take(&limit, 0, rate, 1, 0), 1);
        assert_eq!(take(&limit, 1, rate, BURST - 4, 0), BURST - 4);
        let other = {
            let limit = Arc::clone(&limit);
            thread::spawn(move || take(&limit, 1, rate, 2, 0))
        };
        let mine = take(&limit, 0, rate, 1, 0) + take(&limit, 0, rate, 1, 0);
        let got = mine + other.join().unwrap();
        // Also what the other thread has in hand.
        assert_eq!(got + drain_of(1, &limit, rate, 0), 3);
    });
}

#[test]
fn loom_two_threads_of_one_stripe_fill_it_and_lose_nothing() {
    model(|| {
        let (rate, limit) = (rate(1), striped());
        let other = {
            let limit = Arc::clone(&limit);
            thread::spawn(move || take(&limit, 0, rate, 1, 0) + take(&limit, 0, rate, 1, 0))
        };
        let mine = take(&limit, 0, rate, 1, 0) + take(&limit, 0, rate, 1, 0);
        assert_eq!(mine + other.join().unwrap(), 4);
        assert_eq!(drain(&limit, rate, 0), BURST - 4);
    });
}

#[test]
fn loom_what_runs_out_while_another_takes_it_is_not_taken_twice() {
    model(|| {
        let (rate, limit) = (rate(1), striped());
        assert_eq!(take(&limit, 0, rate, 1, 0), 1);
        let other = {
            let limit = Arc::clone(&limit);
            // A second and a half later: of the piece of two half a call is gone.
            thread::spawn(move || take(&limit, 1, rate, BURST - 1, 3 * SECOND / 2))
        };
        let mine = take(&limit, 0, rate, 1, 0);
        let got = 1 + mine + other.join().unwrap() + drain(&limit, rate, 3 * SECOND / 2);
        assert!(got <= BURST + 1, "{got}");
    });
}

#[test]
fn loom_a_piece_of_another_rate_is_void_before_its_time_is_given_again() {
    model(|| {
        let (slow, fast, limit) = (rate(3_600), rate(1), striped());
        let other = {
            let limit = Arc::clone(&limit);
            // It was late to hear of the change.
            thread::spawn(move || {
                let stripes = limit.stripes.get().unwrap();
                let _ = limit.take_striped(stripes, 0, 1, (slow, 0), || (fast, 0));
            })
        };
        let _ = take(&limit, 1, fast, 1, 0);
        other.join().unwrap();
        // Brought back now, if it was not; the hours that were in the piece come.
        let _ = take(&limit, 1, fast, 1, 0);
        let now = 2 * 3_600 * SECOND;
        assert_eq!(drain(&limit, fast, now), BURST);
        assert_eq!(take(&limit, 1, fast, 1, now), 0);
    });
}

#[test]
fn loom_what_was_not_used_in_time_is_gone() {
    model(|| {
        let (rate, limit) = (rate(1), striped());
        assert_eq!(take(&limit, 0, rate, 1, 0), 1);
        let late = 1_000 * SECOND;
        let other = {
            let limit = Arc::clone(&limit);
            thread::spawn(move || take(&limit, 1, rate, BURST - 1, late))
        };
        let mine = take(&limit, 0, rate, 1, late);
        let got = mine + other.join().unwrap();
        assert_eq!(got + drain(&limit, rate, late), BURST);
    });
}
