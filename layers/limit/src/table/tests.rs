//! Many keys: each by itself, none reset, all bounded.

use super::*;

const SECOND: u64 = 1_000_000_000;

fn rate(count: u32, burst: u32) -> Rate {
    Rate::per_second(count).unwrap().burst(burst).unwrap()
}

fn take(table: &Table, key: u64, rate: Rate, now: u64) -> (Found, bool) {
    let hash = table.hash(Some(&Key::Number(key)));
    let (found, taken) = table.take(hash, 1, (rate, now), || (rate, now));
    (found, taken.is_ok())
}

#[test]
fn a_line_is_one_of_the_cache_and_a_set_has_no_more_than_its_lines() {
    assert_eq!((size_of::<Line>(), align_of::<Line>()), (64, 64));
    assert_eq!(size_of::<Set>(), LINES * 64);
}

#[test]
fn with_every_key_in_use_most_are_in_their_own_line() {
    let (table, rate) = (Table::new(100_000), rate(1, 10));
    let hashes = (0..100_000).map(|key| table.hash(Some(&Key::Number(key))));
    let hashes: Vec<_> = hashes.collect();
    for hash in &hashes {
        let _ = table.take(*hash, 1, (rate, 0), || (rate, 0));
    }
    let at_home = |hash: &&u64| {
        let mut places = table.set(**hash).home_first(**hash).take(4);
        places.any(|place| place.is_of(**hash))
    };
    let at_home = hashes.iter().filter(at_home).count();
    assert!(at_home > 95_000, "{at_home}");
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
    for key in 100..10_000_000 {
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
    // By when what was taken without a place has passed, too.
    let late = 2 * SECOND;
    assert_eq!((0..10).filter(|_| take(&table, 0, rate, late).1).count(), 5);
}

#[test]
fn places_that_were_in_use_for_long_at_a_slower_rate_are_free_when_the_present_one_says_so() {
    let hourly = Rate::new(1, std::time::Duration::from_secs(3_600)).unwrap();
    let (table, fast) = (Table::new(1), rate(1_000, 5));
    for key in 0..WAYS as u64 {
        assert_eq!(take(&table, key, hourly, 0), (Found::Own, true));
    }
    assert_eq!(take(&table, 99, fast, 0), (Found::Overflow, true));
    // Of a burst of five all but one are owed, of which each takes a millisecond.
    assert_eq!(take(&table, 99, fast, SECOND / 1_000).0, Found::Overflow);
    assert_eq!(table.in_use(SECOND / 1_000), WAYS);
    assert_eq!(take(&table, 99, fast, SECOND / 250), (Found::Own, true));
    let mut rest = (0..10).filter(|_| take(&table, 99, fast, SECOND / 250).1);
    assert_eq!(rest.by_ref().count(), 4);
}

#[test]
fn a_place_that_is_looked_at_by_a_clock_that_is_late_is_not_brought_back() {
    let (table, rate) = (Table::new(1), rate(1, 2));
    for key in 0..WAYS as u64 {
        for _ in 0..2 {
            assert!(take(&table, key, rate, SECOND).1);
        }
    }
    let hash = table.hash(Some(&Key::Number(99)));
    let clock = std::cell::Cell::new(0);
    let present = || (rate, clock.replace(SECOND));
    let _ = table.take(hash, 1, (rate, 0), present);
    for key in 0..WAYS as u64 {
        assert!(!take(&table, key, rate, SECOND).1);
    }
}

#[test]
fn a_refused_call_of_a_new_key_takes_no_place() {
    let (table, rate) = (Table::new(1), rate(1, 5));
    let hash = table.hash(None);
    assert!(table.take(hash, 6, (rate, 0), || (rate, 0)).1.is_err());
    assert_eq!(table.wait(hash, 5, rate, 0), 0);
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

#[test]
fn four_threads_whose_keys_come_and_go_get_no_more_than_the_rate_of_each() {
    const KEYS: u64 = 40;
    // Sixteen places; a key is full again after a fifth of a second.
    let (table, rate) = (Table::new(1), rate(10, 2));
    let clock = AtomicU64::new(0);
    let admitted = Mutex::new(vec![Vec::new(); KEYS as usize]);
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (table, clock, admitted) = (&table, &clock, &admitted);
            scope.spawn(move || {
                let dice = ziggurat_core::Dice::seeded(seed);
                for _ in 0..20_000 {
                    let read = || clock.fetch_add(50_000, Ordering::Relaxed);
                    let key = dice.below(KEYS as usize);
                    let hash = table.hash(Some(&Key::Number(key as u64)));
                    let latest = std::cell::Cell::new(read());
                    let present = || {
                        latest.set(read());
                        (rate, latest.get())
                    };
                    let taken = table.take(hash, 1, (rate, latest.get()), present);
                    if taken.1.is_ok() {
                        admitted.lock().unwrap()[key].push(latest.get());
                    }
                }
            });
        }
    });
    let mut most = 0;
    for mut admitted in admitted.into_inner().unwrap() {
        admitted.sort_unstable();
        for (first, start) in admitted.iter().enumerate() {
            for (more, end) in admitted[first..].iter().enumerate() {
                let law = 2 + (end - start) * 10 / SECOND;
                assert!((more as u64) < law, "{more} more in {start}..={end}");
            }
        }
        most = most.max(admitted.len());
    }
    assert!(most > 10, "{most}");
}

#[test]
fn a_key_that_shared_the_limit_of_all_without_a_place_has_no_second_burst_when_it_finds_one() {
    let (table, rate) = (Table::new(1), rate(10, 100));
    // All places are in use, for a tenth of a second.
    let mut other = 1_000;
    while table.in_use(0) < WAYS * table.sets.len() {
        let _ = take(&table, other, rate, 0);
        other += 1;
    }
    // This one's own set is full: it takes of what all without a place share, and then finds one.
    let mut admitted = 0;
    let key = 7;
    for now in [0, SECOND / 5] {
        for _ in 0..1_000 {
            admitted += u32::from(take(&table, key, rate, now).1);
        }
    }
    let most = 100 + 2;
    assert!(admitted <= most, "{admitted}");
    // Whoever comes later has all of its burst, and one who looks hears the same.
    let late = 20 * SECOND;
    let hash = table.hash(Some(&Key::Number(8)));
    assert_eq!(table.wait(hash, 100, rate, late), 0);
    assert_eq!(
        (0..200).filter(|_| take(&table, 8, rate, late).1).count(),
        100
    );
}

#[test]
fn what_some_took_without_a_place_costs_new_keys_elsewhere_nothing() {
    let (table, rate) = (Table::new(1_000), rate(10, 100));
    let mut key = 0;
    // Until one has no place.
    while take(&table, key, rate, 0).0 == Found::Own {
        key += 1;
    }
    for _ in 0..1_000 {
        let _ = take(&table, key, rate, 0);
    }
    let now = SECOND / 5;
    let (mut whole, mut less) = (0, 0);
    for new in 1_000_000..1_000_100 {
        let taken = (0..200).filter(|_| take(&table, new, rate, now).1).count();
        if taken == 100 { whole += 1 } else { less += 1 }
    }
    assert!(whole > 80, "{whole} and {less}");
}
