//! The decision alone, with the time as an argument.

use super::*;
use ziggurat_core::clock;

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    standing: Standing,
    settings: Settings,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Self {
            standing: Standing::new(),
            settings: Settings::new(),
            now: clock::now(),
        }
    }

    fn ticket(&self) -> Ticket {
        Ticket::of(self.standing.generation())
    }

    fn record(&mut self, outcome: Outcome) -> Verdict {
        let ticket = self.ticket();
        self.record_as(ticket, outcome)
    }

    fn record_as(&mut self, ticket: Ticket, outcome: Outcome) -> Verdict {
        self.standing
            .record(ticket, outcome, self.now, &self.settings)
    }

    /// Without luck, which makes it exactly the time.
    fn eject(&mut self) -> Duration {
        self.standing.eject(self.now, 0.5, &self.settings)
    }

    fn probe(&mut self) -> Option<Ticket> {
        self.standing.probe(self.now, &self.settings)
    }

    fn respond(&mut self, ticket: Ticket) -> Verdict {
        self.standing.respond(ticket, self.now)
    }

    fn pass(&mut self, time: Duration) -> Verdict {
        self.now += time;
        self.standing.wake(self.now)
    }
}

fn near(one: Duration, other: Duration) -> bool {
    one.abs_diff(other) < Duration::from_millis(1)
}

#[test]
fn five_failures_in_a_row_are_enough_and_four_are_not() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        for _ in 0..4 {
            assert_eq!(bench.record(Outcome::Failure), Verdict::Stay);
        }
        assert_eq!(bench.record(Outcome::Success), Verdict::Stay);
        assert!(bench.standing.is_clean());
    }
    for _ in 0..4 {
        bench.record(Outcome::Failure);
    }
    assert_eq!(bench.record(Outcome::Failure), Verdict::Eject);
}

#[test]
fn once_nobody_is_to_be_ejected_earlier_ejections_are_held_against_nobody() {
    let mut bench = Bench::new();
    let base = bench.settings.base;
    for times in 1..=3 {
        assert!(near(bench.eject(), base * times));
    }
    assert_eq!(bench.standing.release(bench.now), Verdict::Return);
    assert!(near(bench.eject(), base), "as in gRFC A50");
    assert_eq!(bench.standing.release(bench.now), Verdict::Return);
    assert_eq!(bench.standing.release(bench.now), Verdict::Stay);
}

#[test]
fn three_timeouts_in_a_row_are_enough_but_not_with_failures_between() {
    let mut bench = Bench::new();
    for outcome in [Outcome::Timeout, Outcome::Timeout, Outcome::Failure] {
        assert_eq!(bench.record(outcome), Verdict::Stay);
    }
    bench.record(Outcome::Success);
    bench.record(Outcome::Timeout);
    bench.record(Outcome::Timeout);
    assert_eq!(bench.record(Outcome::Timeout), Verdict::Eject);
}

#[test]
fn overload_and_cancelled_calls_are_neutral() {
    let mut bench = Bench::new();
    for _ in 0..4 {
        bench.record(Outcome::Failure);
        bench.record(Outcome::Overload);
        bench.record(Outcome::Cancelled);
    }
    assert_eq!(bench.record(Outcome::Overload), Verdict::Stay);
    assert_eq!(bench.record(Outcome::Failure), Verdict::Eject);
}

#[test]
fn zero_switches_a_reason_off() {
    let mut bench = Bench::new();
    bench.settings = Settings::new().failures(0).timeouts(0);
    for _ in 0..100 {
        assert_eq!(bench.record(Outcome::Timeout), Verdict::Stay);
    }
}

#[test]
fn the_time_is_longer_each_time_up_to_a_limit() {
    let mut bench = Bench::new();
    for seconds in [10, 20, 30, 40, 50, 60, 60] {
        let time = bench.eject();
        assert!(near(time, SECOND * seconds), "{time:?}");
        assert_eq!(bench.pass(time / 2), Verdict::Stay);
        assert_eq!(bench.pass(time / 2 + SECOND / 1_000), Verdict::Recover);
        let probe = bench.probe().unwrap();
        assert_eq!(bench.record_as(probe, Outcome::Failure), Verdict::Eject);
    }
}

#[test]
fn who_does_well_for_a_while_is_forgiven() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.eject();
    }
    bench.pass(61 * SECOND);
    let probe = bench.probe().unwrap();
    assert_eq!(bench.record_as(probe, Outcome::Success), Verdict::Return);
    bench.pass(21 * SECOND);
    assert!(near(bench.eject(), 20 * SECOND), "two of three forgiven");
}

#[test]
fn luck_spreads_the_time_by_a_fifth_each_way() {
    for (luck, seconds) in [(0.0, 8), (0.5, 10), (1.0, 12)] {
        let mut bench = Bench::new();
        let time = bench.standing.eject(bench.now, luck, &bench.settings);
        assert!(near(time, SECOND * seconds));
    }
}

#[test]
fn one_probe_goes_and_its_place_is_given_back() {
    let mut bench = Bench::new();
    bench.eject();
    assert_eq!(bench.probe(), None, "it is not time yet");
    bench.pass(11 * SECOND);
    assert!(!bench.standing.is_out());
    let probe = bench.probe().unwrap();
    assert!(bench.standing.is_out());
    assert_eq!(bench.probe(), None, "one at a time");
    assert_eq!(bench.record_as(probe, Outcome::Cancelled), Verdict::Recover);
    bench.probe().unwrap();
    assert_eq!(bench.pass(5 * SECOND), Verdict::Recover, "no answer");
    let stream = bench.probe().unwrap();
    assert_eq!(bench.respond(stream), Verdict::Stay);
    assert_eq!(bench.pass(5 * SECOND), Verdict::Return, "a stream");
    assert!(bench.standing.is_clean());
}

#[test]
fn what_began_before_an_ejection_counts_no_more() {
    let mut bench = Bench::new();
    let straggler = bench.ticket();
    bench.eject();
    for outcome in [Outcome::Success, Outcome::Failure] {
        assert_eq!(bench.record_as(straggler, outcome), Verdict::Stay);
    }
    bench.pass(11 * SECOND);
    let probe = bench.probe().unwrap();
    assert_eq!(bench.record_as(straggler, Outcome::Failure), Verdict::Stay);
    assert_eq!(bench.record_as(probe, Outcome::Success), Verdict::Return);
    for _ in 0..100 {
        bench.record_as(straggler, Outcome::Failure);
    }
    assert!(bench.standing.is_clean());
}

#[test]
fn a_probe_that_answers_late_still_brings_it_back() {
    for (with_head, again) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut bench = Bench::new();
        let straggler = bench.ticket();
        bench.eject();
        bench.pass(11 * SECOND);
        let late = bench.probe().unwrap();
        assert_eq!(bench.pass(5 * SECOND), Verdict::Recover);
        if again {
            bench.probe().unwrap();
        }
        let nothing = [
            bench.record_as(late, Outcome::Failure),
            bench.record_as(late, Outcome::Cancelled),
            bench.record_as(straggler, Outcome::Success),
            bench.respond(straggler),
        ];
        assert_eq!(nothing, [Verdict::Stay; 4]);
        let verdict = if with_head {
            bench.respond(late)
        } else {
            bench.record_as(late, Outcome::Success)
        };
        assert_eq!(verdict, Verdict::Return);
        assert!(bench.standing.is_serving());
    }
}

#[test]
fn a_probe_from_before_the_next_ejection_counts_no_more() {
    let mut bench = Bench::new();
    bench.eject();
    bench.pass(11 * SECOND);
    let old = bench.probe().unwrap();
    bench.pass(5 * SECOND);
    let failed = bench.probe().unwrap();
    assert_eq!(bench.record_as(failed, Outcome::Failure), Verdict::Eject);
    bench.eject();
    assert_eq!(bench.record_as(old, Outcome::Success), Verdict::Stay);
    bench.pass(30 * SECOND);
    assert_eq!(bench.record_as(old, Outcome::Success), Verdict::Stay);
    bench.probe().unwrap();
    assert_eq!(bench.respond(old), Verdict::Stay);
    assert_eq!(bench.record_as(old, Outcome::Success), Verdict::Stay);
}

#[test]
fn no_setting_is_too_long() {
    let mut bench = Bench::new();
    let settings = bench.settings.probe_timeout(Duration::MAX).unwrap();
    bench.settings = settings.ejection(SECOND, Duration::MAX).unwrap();
    for _ in 0..2 {
        bench.standing.eject(bench.now, 1.0, &bench.settings);
        assert_eq!(bench.pass(3 * SECOND), Verdict::Recover);
        let probe = bench.probe().unwrap();
        assert_eq!(bench.pass(1_000_000 * SECOND), Verdict::Stay);
        bench.record_as(probe, Outcome::Failure);
    }
    let settings = bench.settings.ejection(Duration::MAX, Duration::MAX);
    bench.settings = settings.unwrap();
    bench.standing.eject(bench.now, 1.0, &bench.settings);
    assert_eq!(bench.pass(1_000_000 * SECOND), Verdict::Stay);
}
