//! Two threads and the places of one set, in every order that the memory model allows.

use super::*;
use loom::{sync::Arc, thread};

const SECOND: u64 = 1_000_000_000;
const A: u64 = 11;
const B: u64 = 12;

fn rate() -> Rate {
    Rate::per_second(1).unwrap().burst(2).unwrap()
}

/// How many of so many calls are admitted in a place of their own.
fn take(table: &Table, hash: u64, now: u64, calls: u32) -> u32 {
    let at = || (rate(), now);
    let admitted = |_: &u32| table.take(hash, 1, at(), at) == (Found::Own, Ok(()));
    (0..calls).filter(admitted).count() as u32
}

fn model(test: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(test);
}

/// Its four places are in use until the end of this second.
fn full() -> Arc<Table> {
    let table = Table::new(1);
    for key in [A, 21, 22, 23] {
        assert_eq!(take(&table, key, 0, 1), 1);
    }
    Arc::new(table)
}

#[test]
fn loom_two_threads_with_one_new_key_find_one_place_for_it() {
    model(|| {
        let table = Arc::new(Table::new(1));
        let theirs = Arc::clone(&table);
        let other = thread::spawn(move || take(&theirs, A, 0, 2));
        let mine = take(&table, A, 0, 1);
        assert_eq!(mine + other.join().unwrap(), 2);
        assert_eq!(table.in_use(0), 1);
        assert_eq!(take(&table, A, 0, 1), 0);
    });
}

#[test]
fn loom_two_threads_with_a_new_key_each_find_a_place_for_each() {
    model(|| {
        let table = full();
        let theirs = Arc::clone(&table);
        let other = thread::spawn(move || take(&theirs, 31, SECOND, 2));
        let mine = take(&table, 32, SECOND, 2);
        assert_eq!((mine, other.join().unwrap()), (2, 2));
        assert_eq!(table.in_use(SECOND), 2);
    });
}

#[test]
fn loom_a_key_that_comes_back_while_another_wants_its_place_loses_nothing_and_gets_nothing() {
    model(|| {
        let table = full();
        let theirs = Arc::clone(&table);
        // The first free place is that of A.
        let other = thread::spawn(move || take(&theirs, B, SECOND, 1));
        let mine = take(&table, A, SECOND, 1);
        assert_eq!((mine, other.join().unwrap()), (1, 1));
        // One of two is left to each, also if one of them had to look for another place.
        assert_eq!(take(&table, A, SECOND, 2), 1);
        assert_eq!(take(&table, B, SECOND, 2), 1);
        assert_eq!(table.in_use(SECOND), 2);
    });
}

#[test]
fn loom_what_is_given_back_while_another_takes_it_is_there_once() {
    model(|| {
        let table = Arc::new(Table::new(1));
        assert_eq!(take(&table, A, 0, 1), 1);
        let theirs = Arc::clone(&table);
        let other = thread::spawn(move || take(&theirs, A, 0, 2));
        table.give_back(A, Found::Own, (rate(), 1, 0), || (rate(), 0));
        let got = other.join().unwrap();
        assert!((1..=2).contains(&got), "{got}");
        assert_eq!(got + take(&table, A, 0, 2), 2);
    });
}

#[test]
fn loom_what_is_given_back_of_a_place_that_another_has_is_not_the_others() {
    model(|| {
        let table = full();
        assert_eq!(take(&table, A, 0, 1), 1);
        let theirs = Arc::clone(&table);
        let other = thread::spawn(move || take(&theirs, B, 2 * SECOND, 2));
        // By a clock that is behind most of it is still to come.
        let behind = || (rate(), SECOND / 2);
        table.give_back(A, Found::Own, (rate(), 2, 0), behind);
        assert_eq!(other.join().unwrap(), 2);
        assert_eq!(take(&table, B, 2 * SECOND, 1), 0);
    });
}

#[test]
fn loom_a_key_whose_place_became_anothers_with_the_same_time_is_counted_at_its_own() {
    model(|| {
        let table = full();
        let theirs = Arc::clone(&table);
        // The place of A is taken, and what was taken is given back: its TAT is what it was.
        let other = thread::spawn(move || {
            let took = take(&theirs, B, SECOND, 1);
            let at = || (rate(), SECOND);
            theirs.give_back(B, Found::Own, (rate(), 1, SECOND), at);
            took
        });
        let mine = take(&table, A, SECOND, 1);
        assert_eq!((mine, other.join().unwrap()), (1, 1));
        assert_eq!(take(&table, A, SECOND, 2), 1);
    });
}
