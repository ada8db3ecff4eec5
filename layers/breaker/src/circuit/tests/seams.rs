//! The moment in which a record is under way: its mark is in the ring, and the sums do not know of it.

use super::*;
use crate::ring::Mark;

/// Throttling, by one failure in a window of one call: half of all calls are rejected.
fn throttling(now: Instant) -> Circuit {
    let settings = settings().window_of_calls(1).unwrap();
    let circuit = circuit(settings.adaptive(1.1).unwrap());
    call(&circuit, Outcome::Failure, now).unwrap();
    assert_eq!(circuit.state(), State::Throttling);
    circuit
}

/// Two record at once: the one that began later is done, and the other one still has its sums to add.
fn at_once<'c>(circuit: &'c Circuit, first: Mark, second: Mark) -> impl FnOnce() + 'c {
    let (word, ring) = (circuit.switch.word(), circuit.ring.get().unwrap());
    let rest = ring.record_by_halves(word.generation(), 1, first);
    ring.record(word.generation(), 1, second);
    assert_eq!(circuit.totals(word, 0), None);
    rest
}

fn rejected(circuit: &Circuit, now: Instant) -> usize {
    (0..100)
        .filter(|_| circuit.admit(0, || now).is_err())
        .count()
}

#[test]
fn a_record_under_way_takes_no_circuit_out_of_throttling() {
    let now = clock::now();
    let circuit = throttling(now);
    let rest = at_once(&circuit, Mark::WELL, Mark::FAILED);
    let meanwhile = rejected(&circuit, now);
    assert_eq!(circuit.state(), State::Throttling);
    assert!((20..80).contains(&meanwhile), "{meanwhile}");
    assert_eq!(
        (circuit.counts().successes, circuit.counts().failures),
        (0, 1)
    );
    rest();
    assert!((20..80).contains(&rejected(&circuit, now)));
    assert_eq!(circuit.opened(), 0);
}

#[test]
fn a_circuit_stops_throttling_when_the_record_that_says_so_is_whole() {
    let now = clock::now();
    let circuit = throttling(now);
    let word = circuit.switch.word();
    circuit
        .ring
        .get()
        .unwrap()
        .record(word.generation(), 1, Mark::WELL);
    let rest = at_once(&circuit, Mark::FAILED, Mark::WELL);
    assert_eq!(rejected(&circuit, now), 0);
    assert_eq!(circuit.state(), State::Throttling);
    assert_eq!(
        (circuit.counts().successes, circuit.counts().failures),
        (1, 0)
    );
    rest();
    assert_eq!(rejected(&circuit, now), 0);
    assert_eq!(circuit.state(), State::Closed);
}
