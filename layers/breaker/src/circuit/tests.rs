//! The circuit, without a runtime: what it must do, and a slow model that it must agree with.

mod memory;
mod model;
mod rates;
mod scripts;
mod seams;

use super::*;
use crate::error::Refusal;
use ziggurat_core::Outcome;

const SECOND: Duration = Duration::from_secs(1);

fn circuit(settings: Settings) -> Circuit {
    Circuit::new(settings.into(), Dice::seeded(1), None)
}

fn settings() -> Settings {
    let settings = Settings::new().consecutive_failures(None).unwrap();
    settings.open_for(SECOND).unwrap()
}

fn call(circuit: &Circuit, outcome: Outcome, now: Instant) -> Result<(), Refusal> {
    let ticket = circuit.admit(0, || now)?;
    circuit.settle(seat_by_turns(), ticket, outcome, || now);
    Ok(())
}

/// How long it is still open, if that is known.
fn refused(admitted: Result<Ticket, Refusal>) -> Option<Duration> {
    match admitted {
        Err(Refusal::Open(wait)) => wait.map(Duration::from_nanos),
        other => panic!("the circuit should be open: {other:?}"),
    }
}

fn seat_by_turns() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed) % crate::window::SEATS
}

/// How many failures it takes from here on.
fn failures_until_open(circuit: &Circuit, now: Instant) -> usize {
    let failures = (1..).find(|_| {
        call(circuit, Outcome::Failure, now).unwrap();
        circuit.state() == State::Open
    });
    failures.unwrap()
}

#[test]
fn after_a_million_successes_it_opens_within_a_window() {
    let (circuit, t0) = (circuit(settings()), clock::now());
    for n in 0..1_000_000 {
        let now = t0 + Duration::from_micros(100 * n);
        call(&circuit, Outcome::Success, now).unwrap();
    }
    // 100,000 calls of the last window count against it as long as they are in it.
    let mut now = t0 + 100 * SECOND;
    let mut failures = 0;
    while circuit.state() == State::Closed {
        call(&circuit, Outcome::Failure, now).unwrap();
        failures += 1;
        now += Duration::from_millis(100);
    }
    assert!(failures <= 100, "{failures}");
}

#[test]
fn the_share_of_slow_calls_is_one_however_many_there_are() {
    const FAST: usize = 140_000;
    let settings = settings().window(3_600 * SECOND).unwrap();
    let settings = settings.slow_calls(SECOND, 0.5).unwrap();
    let (circuit, t0) = (circuit(settings), clock::now());
    let call = |took| {
        let ticket = circuit.admit(0, || t0).unwrap();
        circuit.settle(0, ticket, Outcome::Success, || t0 + took);
        circuit.state()
    };
    for _ in 0..FAST {
        call(Duration::ZERO);
    }
    let slow = (1..=2 * FAST).find(|_| call(2 * SECOND) == State::Open);
    assert_eq!(slow, Some(FAST));
}

#[test]
fn after_an_idle_window_it_starts_cold() {
    let (circuit, t0) = (circuit(settings()), clock::now());
    for _ in 0..1_000 {
        call(&circuit, Outcome::Success, t0).unwrap();
    }
    for _ in 0..19 {
        call(&circuit, Outcome::Failure, t0).unwrap();
    }
    assert_eq!(failures_until_open(&circuit, t0 + 10 * SECOND), 20);
}

#[test]
fn a_run_of_five_opens_it_and_a_success_between_does_not() {
    let (circuit, t0) = (circuit(Settings::new()), clock::now());
    for outcome in [Outcome::Failure, Outcome::Success, Outcome::Success].repeat(9) {
        call(&circuit, outcome, t0).unwrap();
    }
    assert_eq!(failures_until_open(&circuit, t0), 5);
    assert!(call(&circuit, Outcome::Success, t0).is_err());
}

#[test]
fn what_says_nothing_counts_for_nothing() {
    let (circuit, t0) = (circuit(settings()), clock::now());
    for outcome in [Outcome::Cancelled, Outcome::Overload].repeat(1_000) {
        call(&circuit, outcome, t0).unwrap();
    }
    assert_eq!(failures_until_open(&circuit, t0), 20);
}

#[test]
fn a_rejection_tells_when_the_next_probe_goes() {
    let (circuit, t0) = (circuit(settings()), clock::now());
    failures_until_open(&circuit, t0);
    for millis in [0, 1, 999] {
        let wait = Duration::from_millis(millis);
        let left = refused(circuit.admit(0, || t0 + wait));
        assert_eq!(left, Some(SECOND - wait));
    }
    let probe = circuit.admit(0, || t0 + SECOND).unwrap();
    assert_eq!(refused(circuit.admit(0, || t0 + SECOND)), None);
    circuit.settle(0, probe, Outcome::Cancelled, || t0 + SECOND);
    assert!(circuit.admit(0, || t0 + SECOND).is_ok());
}

#[test]
fn a_straggler_of_an_earlier_state_moves_nothing() {
    let (circuit, t0) = (circuit(settings()), clock::now());
    let stragglers: Vec<_> = (0..100).map(|_| circuit.admit(0, || t0).unwrap()).collect();
    failures_until_open(&circuit, t0);
    let now = t0 + SECOND;
    let probe = circuit.admit(0, || now).unwrap();
    for straggler in &stragglers {
        circuit.settle(0, *straggler, Outcome::Success, || now);
        circuit.settle(0, *straggler, Outcome::Failure, || now);
        circuit.settle(0, *straggler, Outcome::Cancelled, || now);
    }
    assert_eq!(circuit.state(), State::HalfOpen);
    assert!(circuit.admit(0, || now).is_err());
    circuit.settle(0, probe, Outcome::Success, || now);
    call(&circuit, Outcome::Success, now).unwrap();
    assert_eq!(circuit.state(), State::Closed);
    for straggler in stragglers {
        circuit.settle(0, straggler, Outcome::Failure, || now);
    }
    assert_eq!(failures_until_open(&circuit, now), 20);
}

#[test]
fn a_probe_that_fails_in_its_trailers_counts_where_it_stands() {
    let now = clock::now();
    for (successes, failures) in [(1, 19), (2, 0)] {
        let settings = settings().successes(successes).unwrap();
        let circuit = circuit(settings.minimum_calls(20).unwrap());
        failures_until_open(&circuit, now);
        let mut probe = circuit.admit(0, || now + SECOND).unwrap();
        circuit.responded(&mut probe, || now + SECOND);
        circuit.settle(0, probe, Outcome::Failure, || now + SECOND);
        if failures == 0 {
            assert_eq!(circuit.state(), State::Open);
        } else {
            // It closed the circuit, and is the first failure of the closed one.
            assert_eq!(circuit.state(), State::Closed);
            assert_eq!(failures_until_open(&circuit, now + SECOND), failures);
        }
    }
}

#[test]
fn a_change_of_settings_leaves_an_open_circuit_open() {
    let (setter, live) = Live::channel(settings());
    let (circuit, t0) = (Circuit::new(live, Dice::new(), None), clock::now());
    failures_until_open(&circuit, t0);
    setter.set(settings().window(20 * SECOND).unwrap().probes(2).unwrap());
    assert_eq!(refused(circuit.admit(0, || t0)), Some(SECOND));
    let probes: Vec<_> = (0..3)
        .map(|_| circuit.admit(0, || t0 + SECOND).is_ok())
        .collect();
    assert_eq!(probes, [true, true, false]);
}

#[test]
fn another_window_starts_the_count_anew() {
    let (setter, live) = Live::channel(settings());
    let (circuit, t0) = (Circuit::new(live, Dice::new(), None), clock::now());
    for _ in 0..19 {
        call(&circuit, Outcome::Failure, t0).unwrap();
    }
    setter.set(settings().window(SECOND).unwrap());
    assert_eq!(failures_until_open(&circuit, t0), 20);
}

#[test]
fn a_clock_that_stands_still_or_goes_back_is_safe() {
    let (circuit, t0) = (circuit(settings()), clock::now());
    let later = t0 + 100 * SECOND;
    for _ in 0..10 {
        call(&circuit, Outcome::Failure, later).unwrap();
        call(&circuit, Outcome::Failure, t0).unwrap();
    }
    assert_eq!(circuit.state(), State::Open);
    assert!(circuit.admit(0, || t0).is_err());
}

#[test]
fn eight_threads_lose_no_record() {
    let circuit = circuit(settings().minimum_calls(16_000).unwrap());
    let now = clock::now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    let _ = call(&circuit, Outcome::Success, now);
                    let _ = call(&circuit, Outcome::Failure, now);
                }
            });
        }
    });
    // The share of the failures is a half, or was when the sixteen-thousandth call was one.
    let totals = circuit.window.totals(circuit.switch.word().epoch(0));
    if circuit.state() == State::Closed {
        assert_eq!((totals.successes, totals.failures), (8_000, 8_000));
        call(&circuit, Outcome::Failure, now).unwrap();
    }
    assert_eq!(circuit.state(), State::Open);
}
