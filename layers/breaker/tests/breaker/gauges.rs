//! What an exporter of metrics keeps of a circuit that many threads turn at once.

use super::backend::layer;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};
use tokio_test::task;
use tower::{BoxError, Layer, Service, service_fn};
use ziggurat_breaker::{BreakerLayer, Handle, Observer, Settings, State};
use ziggurat_core::{ByResult, Dice, clock};

const THREADS: u64 = 8;

/// A gauge for every state, as an exporter would keep them.
#[derive(Clone)]
struct Gauges(Arc<Kept>);

struct Kept {
    gauges: Mutex<HashMap<State, u64>>,
    telling: AtomicBool,
    changes: AtomicUsize,
    /// A bit for each state that it came to.
    seen: AtomicUsize,
    /// What was not as it should be: an observer that panicked would hide it.
    wrong: Mutex<Vec<String>>,
}

// === impl Gauges ===

impl Gauges {
    fn new() -> Self {
        let gauge = |state: &State| (*state, u64::from(*state == State::Closed));
        Self(Arc::new(Kept {
            gauges: Mutex::new(State::ALL.iter().map(gauge).collect()),
            telling: AtomicBool::new(false),
            changes: AtomicUsize::new(0),
            seen: AtomicUsize::new(0),
            wrong: Mutex::default(),
        }))
    }

    fn changes(&self) -> usize {
        self.0.changes.load(SeqCst)
    }

    fn unseen(&self) -> Vec<State> {
        let seen = self.0.seen.load(SeqCst);
        let unseen = |state: &State| seen & (1 << *state as usize) == 0;
        State::ALL.iter().copied().filter(unseen).collect()
    }
}

impl Observer for Gauges {
    fn changed(&self, from: State, to: State) {
        let kept = &*self.0;
        let two_at_once = kept.telling.swap(true, SeqCst);
        let mut gauges = kept.gauges.lock().unwrap();
        let was = gauges.insert(from, 0);
        gauges.insert(to, 1);
        let ones = gauges.values().sum::<u64>();
        drop(gauges);
        if two_at_once || was != Some(1) || ones != 1 {
            let wrong = format!("{from:?} -> {to:?}: {ones}, two at once: {two_at_once}");
            kept.wrong.lock().unwrap().push(wrong);
        }
        kept.seen.fetch_or(1 << to as usize, SeqCst);
        kept.changes.fetch_add(1, SeqCst);
        // Others come to tell something, too.
        thread::yield_now();
        kept.telling.store(false, SeqCst);
    }
}

fn by_hand(handle: &Handle, dice: &Dice) {
    match dice.below(5) {
        0 => handle.force_open(),
        1 => handle.disable(),
        2 => handle.metrics_only(),
        _ => handle.reset(),
    }
}

fn race(layer: &BreakerLayer<ByResult>, one_in: usize, until: impl Fn() -> bool + Sync) {
    thread::scope(|scope| {
        for seed in 0..THREADS {
            let until = &until;
            scope.spawn(move || turn(layer, seed, one_in, until));
        }
    });
}

/// Calls, and before one call in so many turns the circuit by hand.
fn turn(layer: &BreakerLayer<ByResult>, seed: u64, one_in: usize, until: impl Fn() -> bool) {
    let dice = Dice::seeded(seed);
    let mut service = layer.layer(service_fn(|fails: bool| async move {
        if fails {
            Err(BoxError::from("down"))
        } else {
            Ok(())
        }
    }));
    while !until() {
        if dice.below(one_in) == 0 {
            by_hand(&layer.handle(), &dice);
        }
        let _ = task::spawn(service.call(dice.below(4) == 0)).poll();
    }
}

// Real time and threads: it waits for what it wants to see.
#[test]
fn after_each_transition_exactly_one_state_gauge_is_1_whatever_eight_threads_do() {
    let gauges = Gauges::new();
    let settings = Settings::new().consecutive_failures(1).unwrap();
    let settings = settings.open_for(Duration::from_millis(1)).unwrap();
    let settings = settings.successes(1).unwrap();
    let settings = settings.ramp(Duration::from_millis(1)).unwrap();
    let layer = layer(settings).observe_with(gauges.clone());
    let end = clock::now() + Duration::from_secs(30);
    // At first they turn it as often as they can, then seldom enough that it opens and heals by itself.
    let often = || gauges.changes() >= 5_000;
    // Only an adaptive circuit throttles.
    let seldom = || gauges.unseen() == [State::Throttling];
    race(&layer, 1, || often() || clock::now() > end);
    race(&layer, 5_000, || seldom() || clock::now() > end);
    assert!(often() && seldom(), "not seen: {:?}", gauges.unseen());
    assert_eq!(*gauges.0.wrong.lock().unwrap(), Vec::<String>::new());
    let gauges = gauges.0.gauges.lock().unwrap();
    assert_eq!(gauges[&layer.handle().state()], 1);
}
