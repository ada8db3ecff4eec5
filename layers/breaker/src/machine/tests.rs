//! The machine alone.

use super::*;
use ziggurat_core::clock;

const SECOND: Duration = Duration::from_secs(1);

fn settings() -> Settings {
    Settings::new().probe_timeout(2 * SECOND).unwrap()
}

fn open(machine: &mut Machine, now: Instant) {
    machine.open(machine.generation(), now, |streak| SECOND * streak);
}

#[test]
fn it_opens_probes_and_closes() {
    let (mut machine, t0) = (Machine::new(Measure::bucket(1)), clock::now());
    assert_eq!(machine.admit(t0, &settings()), Verdict::Admit);
    open(&mut machine, t0);
    assert_eq!(machine.hold(&settings()), Hold::Until(t0 + SECOND));
    assert_eq!(machine.admit(t0, &settings()), Verdict::Reject);
    for probe in [1, 2] {
        assert_eq!(
            machine.admit(t0 + SECOND, &settings()),
            Verdict::Probe(probe)
        );
        assert_eq!(machine.admit(t0 + SECOND, &settings()), Verdict::Reject);
        machine.succeeded(machine.generation(), probe, t0, &settings());
    }
    assert_eq!(machine.state(), State::Closed);
}

#[test]
fn the_longest_settings_fit_the_clock() {
    let day = 86_400 * SECOND;
    let longest = Settings::new().probe_timeout(day).unwrap();
    let longest = longest.open_for(day).unwrap().probes(1_024).unwrap();
    let (mut machine, mut now) = (Machine::new(Measure::bucket(1)), clock::now());
    let dice = ziggurat_core::Dice::seeded(1);
    for _ in 0..3 {
        machine.streak = u32::MAX;
        machine.open(machine.generation(), now, |streak| {
            longest.open_time(streak, &dice)
        });
        assert_eq!(machine.hold(&longest), Hold::Until(now + day));
        now += day;
        assert!(matches!(machine.admit(now, &longest), Verdict::Probe(_)));
    }
}

#[test]
fn each_opening_in_a_row_lasts_longer() {
    let (mut machine, mut now) = (Machine::new(Measure::bucket(1)), clock::now());
    for streak in 1..5 {
        open(&mut machine, now);
        assert_eq!(
            machine.hold(&settings()),
            Hold::Until(now + SECOND * streak)
        );
        now += SECOND * streak;
        assert!(matches!(machine.admit(now, &settings()), Verdict::Probe(_)));
    }
    assert_eq!(machine.opened(), 4);
    machine.reset();
    open(&mut machine, now);
    assert_eq!(machine.hold(&settings()), Hold::Until(now + SECOND));
}

#[test]
fn a_hung_probe_frees_its_place_and_its_end_frees_no_other() {
    let (mut machine, t0) = (Machine::new(Measure::bucket(1)), clock::now());
    open(&mut machine, t0);
    let t1 = t0 + SECOND;
    assert_eq!(machine.admit(t1, &settings()), Verdict::Probe(1));
    let t3 = t1 + 2 * SECOND;
    assert_eq!(machine.admit(t3, &settings()), Verdict::Probe(2));
    machine.release(machine.generation(), 1);
    assert_eq!(machine.admit(t3, &settings()), Verdict::Reject);
    machine.release(machine.generation(), 2);
    assert_eq!(machine.admit(t3, &settings()), Verdict::Probe(3));
}

#[test]
fn an_earlier_generation_moves_nothing() {
    let (mut machine, t0) = (Machine::new(Measure::bucket(1)), clock::now());
    let closed = machine.generation();
    open(&mut machine, t0);
    assert_eq!(machine.admit(t0 + SECOND, &settings()), Verdict::Probe(1));
    let half_open = machine.generation();
    for late in [closed, closed.wrapping_sub(1), half_open - 1] {
        machine.open(late, t0 + SECOND, |_| SECOND);
        machine.succeeded(late, 1, t0, &settings());
        machine.release(late, 1);
        assert!(!machine.restart(late, Measure::bucket(1), 1));
    }
    assert_eq!(machine.generation(), half_open);
    assert_eq!(machine.admit(t0 + SECOND, &settings()), Verdict::Reject);
}

#[test]
fn forced_open_it_stays_open_until_reset() {
    let (mut machine, t0) = (Machine::new(Measure::bucket(1)), clock::now());
    machine.force_open();
    machine.force_open();
    assert_eq!(
        (machine.opened(), machine.hold(&settings())),
        (1, Hold::ForEver)
    );
    open(&mut machine, t0);
    assert_eq!(
        machine.admit(t0 + 1_000_000 * SECOND, &settings()),
        Verdict::Reject
    );
    machine.reset();
    assert_eq!(machine.admit(t0, &settings()), Verdict::Admit);
}

#[test]
fn on_a_ramp_it_keeps_its_count_and_its_streak_until_the_end() {
    let (mut machine, t0) = (Machine::new(Measure::bucket(1)), clock::now());
    let settings = settings().ramp(10 * SECOND).unwrap().successes(1).unwrap();
    open(&mut machine, t0);
    assert_eq!(machine.admit(t0 + SECOND, &settings), Verdict::Probe(1));
    machine.succeeded(machine.generation(), 1, t0 + SECOND, &settings);
    assert_eq!(machine.hold(&settings), Hold::Until(t0 + 11 * SECOND));
    let generation = machine.generation();
    machine.recovered(t0 + 10 * SECOND);
    assert_eq!(machine.state(), State::Recovering);
    open(&mut machine, t0);
    // The second time in a row.
    assert_eq!(machine.hold(&settings), Hold::Until(t0 + 2 * SECOND));
    assert_eq!(machine.admit(t0 + 2 * SECOND, &settings), Verdict::Probe(2));
    machine.succeeded(machine.generation(), 2, t0, &settings);
    let second = machine.generation();
    machine.recovered(t0 + 10 * SECOND);
    assert_eq!(machine.state(), State::Closed);
    assert!(second > generation && machine.generation() == second);
    open(&mut machine, t0);
    assert_eq!(machine.hold(&settings), Hold::Until(t0 + SECOND));
}

#[test]
fn a_circuit_that_is_out_of_use_neither_opens_nor_rejects() {
    let (mut machine, t0) = (Machine::new(Measure::bucket(1)), clock::now());
    for (turn, state) in [
        (Machine::disable as fn(&mut Machine), State::Disabled),
        (Machine::metrics_only, State::MetricsOnly),
    ] {
        turn(&mut machine);
        open(&mut machine, t0);
        machine.throttle(true);
        assert_eq!((machine.state(), machine.opened()), (state, 0));
        assert_eq!(machine.admit(t0, &settings()), Verdict::Admit);
    }
    machine.reset();
    assert_eq!(machine.state(), State::Closed);
}
