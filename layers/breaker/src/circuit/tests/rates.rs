//! An hour at ten thousand calls a second, against plain tallies of its slices.

use super::*;
use std::collections::BTreeMap;

const HOUR: Duration = Duration::from_secs(3_600);
/// A call every hundred microseconds.
const PACE: Duration = Duration::from_micros(100);
/// A sixteenth of the window.
const SLICE: Duration = Duration::from_secs(225);

/// What each slice counted, in numbers that nobody had to find room for.
#[derive(Default)]
struct Tallies(BTreeMap<u128, Totals>);

impl Tallies {
    fn note(&mut self, at: Duration, failed: bool, slow: bool) {
        let slice = self.0.entry(at.as_nanos() / SLICE.as_nanos()).or_default();
        slice.successes += u64::from(!failed);
        slice.failures += u64::from(failed);
        slice.slow += u64::from(slow);
    }

    fn totals(&self, at: Duration) -> Totals {
        let present = at.as_nanos() / SLICE.as_nanos();
        let recent = |slice: &u128| slice + 16 > present;
        let mut totals = Totals::default();
        for (_, tally) in self.0.iter().filter(|(slice, _)| recent(slice)) {
            totals.successes += tally.successes;
            totals.failures += tally.failures;
            totals.slow += tally.slow;
        }
        totals
    }
}

#[test]
fn an_hour_at_ten_thousand_a_second_counts_every_call_alike() {
    let above = Duration::from_millis(1);
    let settings = settings().window(HOUR).unwrap();
    let circuit = circuit(settings.slow_calls(above, 1.0).unwrap());
    circuit.metrics_only();
    let (t0, mut tallies) = (clock::now(), Tallies::default());
    let totals = |at| circuit.totals(circuit.switch.word(), circuit.switch.nanos(t0 + at));
    // The share of failures and of slow calls: one in so many.
    for (slice, calls, failures, slow) in [
        (0, 2_240_000, 0, 2),
        (1, 300_000, 1, 0),
        (2, 300_000, 3, 1),
        (15, 1_000, 2, 2),
        (16, 1_000, 0, 3),
        (17, 1_000, 1, 1),
    ] {
        let one_in = |share: u32, n: u32| share > 0 && n.is_multiple_of(share);
        for n in 0..calls {
            // All on one seat, as one thread has it.
            let ticket = circuit.admit(0, || t0 + slice * SLICE + n * PACE).unwrap();
            let took = if one_in(slow, n) { 2 * above } else { above };
            let at = slice * SLICE + n * PACE + took;
            let failed = one_in(failures, n);
            let outcome = if failed {
                Outcome::Failure
            } else {
                Outcome::Success
            };
            circuit.settle(0, ticket, outcome, || t0 + at);
            tallies.note(at, failed, one_in(slow, n));
        }
        let at = slice * SLICE + calls * PACE;
        assert_eq!(totals(at), Some(tallies.totals(at)), "slice {slice}");
    }
}

#[test]
fn a_ratio_over_an_hour_is_reached_by_the_failure_that_reaches_it() {
    let settings = settings().window(HOUR).unwrap();
    let circuit = circuit(settings.failure_ratio(0.25).unwrap());
    let t0 = clock::now();
    for n in 0..600_000 {
        call_on(&circuit, Outcome::Success, t0 + n * PACE);
    }
    let later = t0 + SLICE;
    for n in 0..199_999 {
        call_on(&circuit, Outcome::Failure, later + n * PACE);
    }
    assert_eq!(circuit.state(), State::Closed);
    call_on(&circuit, Outcome::Failure, later + 200_000 * PACE);
    assert_eq!(circuit.state(), State::Open);
}

/// All on one seat.
fn call_on(circuit: &Circuit, outcome: Outcome, now: Instant) {
    let ticket = circuit.admit(0, || now).unwrap();
    circuit.settle(0, ticket, outcome, || now);
}
