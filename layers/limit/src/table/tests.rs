//! Many keys: each by itself, none reset, all bounded.

use super::*;

const SECOND: u64 = 1_000_000_000;

fn rate(count: u32, burst: u32) -> Rate {
    Rate::per_second(count).unwrap().burst(burst).unwrap()
}

fn take(table: &Table, key: u64, rate: Rate, now: u64) -> (Found, bool) {
    let hash = table.hash(Some(&Key::Number(key)));
    let (found, taken) = table.take(hash, 1, || (rate, now));
    (found, taken.is_ok())
}

#[test]
fn a_set_is_two_cache_lines() {
    assert_eq!(size_of::<Set>(), 128);
}

#[test]
fn with_every_key_in_use_few_have_no_place() {
    let (table, rate) = (Table::new(100_000), rate(1, 10));
    let without = (0..100_000)
        .filter(|key| take(&table, *key, rate, 0).0 == Found::Overflow)
        .count();
    assert!(without < 500, "{without}");
    assert_eq!(table.in_use(0), 100_000 - without);
}

#[test]
fn ten_million_keys_take_no_more_room_and_reset_none_that_is_in_use() {
    let (table, rate) = (Table::new(1_000), rate(1, 5));
    let hot: Vec<_> = (0..100)
        .filter(|hot| take(&table, *hot, rate, 0) == (Found::Own, true))
        .collect();
    assert_eq!(hot.len(), 100);
    for hot in &hot {
        assert_eq!((0..10).filter(|_| take(&table, *hot, rate, 0).1).count(), 4);
    }
    let keys = if cfg!(debug_assertions) {
        1_000_000
    } else {
        10_000_000
    };
    for key in 100..keys {
        let _ = take(&table, key, rate, 0);
    }
    for hot in hot {
        assert_eq!(take(&table, hot, rate, 0), (Found::Own, false));
    }
    assert!(table.in_use(0) <= table.sets.len() * WAYS);
    assert!(table.sets.len() * size_of::<Set>() < 56_000);
}

#[test]
fn who_has_no_place_shares_one_limit() {
    let (table, rate) = (Table::new(1), rate(1, 5));
    let found: Vec<_> = (0..100).map(|key| take(&table, key, rate, 0)).collect();
    assert!(
        found[..WAYS]
            .iter()
            .all(|found| *found == (Found::Own, true))
    );
    assert!(
        found[WAYS..WAYS + 5]
            .iter()
            .all(|found| *found == (Found::Overflow, true))
    );
    assert!(
        found[WAYS + 5..]
            .iter()
            .all(|found| *found == (Found::Overflow, false))
    );
}

#[test]
fn a_key_that_is_full_again_leaves_and_comes_back_full() {
    let (table, rate) = (Table::new(1), rate(1, 5));
    for key in 0..WAYS as u64 {
        assert!(take(&table, key, rate, 0).1);
    }
    assert_eq!(take(&table, 99, rate, SECOND - 1).0, Found::Overflow);
    assert_eq!(table.in_use(SECOND), 0);
    assert_eq!(take(&table, 99, rate, SECOND).0, Found::Own);
    assert_eq!(
        (0..10).filter(|_| take(&table, 0, rate, SECOND).1).count(),
        5
    );
}

#[test]
fn a_refused_call_of_a_new_key_takes_no_place() {
    let (table, rate) = (Table::new(1), rate(1, 5));
    let hash = table.hash(None);
    assert!(table.take(hash, 6, || (rate, 0)).1.is_err());
    assert_eq!(table.peek(hash, 5, rate, 0), Ok(()));
    assert_eq!(table.in_use(0), 0);
}

#[test]
fn eight_threads_on_few_keys_get_exactly_the_burst_of_each() {
    let (table, rate) = (Table::new(8), rate(1, 100));
    let admitted: usize = std::thread::scope(|scope| {
        let work = || {
            let calls = (0..4_000_u64).map(|call| take(&table, call % 4, rate, 0));
            calls.filter(|call| call.1).count()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|done| done.join().unwrap()).sum()
    });
    assert_eq!(admitted, 400);
}
