//! With loom: every order in which threads may count calls, pay them in, spend and pay back.

use super::*;
use loom::{sync::Arc, thread};
use std::time::Duration;
use ziggurat_core::clock;
use ziggurat_core::seat;

/// Two readings of the clock may be this far apart.
const APART: Duration = Duration::from_millis(16);

/// Two calls earn one retry.
const HALF: Income = Income {
    per_call: 0.5,
    per_second: 0.0,
};

#[test]
fn loom_a_call_is_taken_once_wherever_it_was_counted() {
    loom::model(|| {
        let tallies = Arc::new(Tallies::new());
        let other = Arc::clone(&tallies);
        let theirs = thread::spawn(move || {
            other.add(0);
            let taken = other.take();
            other.add(seat::OWN);
            taken
        });
        tallies.add(seat::OWN);
        let mine = tallies.take();
        let taken = mine + theirs.join().unwrap();
        assert_eq!(taken + tallies.take(), 3);
    });
}

#[test]
fn loom_two_threads_spend_what_was_earned_and_no_more() {
    let now = clock::now();
    loom::model(move || {
        let purse = Arc::new(Purse::new());
        let call = move |purse: &Purse, place: usize| {
            purse.calls.add(place);
            u32::from(purse.withdraw(HALF, now))
        };
        let other = Arc::clone(&purse);
        let theirs = thread::spawn(move || call(&other, 1));
        let mine = call(&purse, 0);
        // Whoever came last has seen both calls.
        assert_eq!(mine + theirs.join().unwrap(), 1);
        assert!(!purse.withdraw(HALF, now));
    });
}

#[test]
fn loom_what_is_paid_back_beside_what_is_paid_in_is_not_lost() {
    let now = clock::now();
    loom::model(move || {
        let purse = Arc::new(Purse::new());
        purse.calls.add(0);
        purse.calls.add(0);
        assert!(purse.withdraw(HALF, now));
        let other = Arc::clone(&purse);
        let theirs = thread::spawn(move || {
            other.calls.add(1);
            other.calls.add(1);
            other.pay_in(HALF, || now);
        });
        purse.refund(HALF, now);
        theirs.join().unwrap();
        assert!(purse.withdraw(HALF, now) && purse.withdraw(HALF, now));
        assert!(!purse.withdraw(HALF, now));
    });
}

#[test]
fn loom_a_second_is_paid_once_though_two_clocks_differ() {
    let income = Income {
        per_call: 0.0,
        per_second: 1.0,
    };
    let now = clock::now();
    loom::model(move || {
        let purse = Arc::new(Purse::new());
        // The reserve is spent.
        while purse.withdraw(income, now) {}
        let later = now + Duration::from_millis(1_500);
        let other = Arc::clone(&purse);
        let theirs = thread::spawn(move || u32::from(other.withdraw(income, later)));
        let mine = u32::from(purse.withdraw(income, later - APART))
            + u32::from(purse.withdraw(income, now));
        assert_eq!(mine + theirs.join().unwrap(), 1);
        assert!(!purse.withdraw(income, later));
    });
}
