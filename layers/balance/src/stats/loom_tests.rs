//! Threads that write at once, in every order.

use super::{cost::in_a_row, *};
use crate::{Settings, settings::Weighing};
use loom::thread;

const MILLI: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLI;

fn known() -> Arc<Stats> {
    let facts = Arc::new(Facts::new("echo".into(), Settings::new().into(), None));
    let stats = Stats::new(EndpointId::new("a"), facts);
    stats.observe(10 * MILLI, SECOND, weighing().decay);
    Arc::new(stats)
}

fn weighing() -> Weighing {
    Settings::new().weighing()
}

fn at_once(stats: &Arc<Stats>, one: fn(&Stats), other: fn(&Stats)) {
    let theirs = Arc::clone(stats);
    let thread = thread::spawn(move || one(&theirs));
    other(stats);
    thread.join().unwrap();
}

#[test]
fn loom_calls_that_begin_and_end_at_once_are_all_counted() {
    loom::model(|| {
        let stats = known();
        let call = |stats: &Stats| {
            stats.start(SECOND, weighing().decay);
            assert!((1..=2).contains(&stats.pending()));
            stats.finish();
        };
        at_once(&stats, call, call);
        assert_eq!((stats.pending(), stats.calls()), (0, 2));
    });
}

#[test]
fn loom_no_failure_is_lost() {
    loom::model(|| {
        let fail = |stats: &Stats| stats.fail(SECOND, weighing().decay);
        let stats = known();
        at_once(&stats, fail, fail);
        assert_eq!(stats.failures(), 2);
        let both = f64::from(in_a_row(0) + in_a_row(1)) * 5.0 * SECOND as f64;
        let cost = stats.cost(SECOND, &weighing()) - 10.0 * MILLI as f64;
        assert!(cost > both * 0.99, "{cost} of {both}");
    });
}

#[test]
fn loom_a_peak_is_not_lost() {
    loom::model(|| {
        let stats = known();
        at_once(
            &stats,
            |stats| stats.observe(500 * MILLI, SECOND, weighing().decay),
            |stats| stats.observe(MILLI, 2 * SECOND, weighing().decay),
        );
        // At its time it was that high, and a second of quick answers later it is a tenth less.
        assert!(stats.cost(2 * SECOND, &weighing()) > 400.0 * MILLI as f64);
    });
}
