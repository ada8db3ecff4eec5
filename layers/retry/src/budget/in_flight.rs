//! What is in flight: calls, and further attempts of theirs.

use self::sync::{AtomicU32, Relaxed};
use super::rules::Share;

/// All orderings are relaxed: the numbers guard nothing but themselves.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    calls: AtomicU32,
    further: AtomicU32,
}

// === impl InFlight ===

impl InFlight {
    pub(super) fn call(&self) {
        self.calls.fetch_add(1, Relaxed);
    }

    pub(super) fn over(&self) {
        self.calls.fetch_sub(1, Relaxed);
    }

    /// Takes a place for a further attempt, if there is one.
    pub(super) fn enter(&self, share: Share) -> bool {
        let calls = f64::from(self.calls.load(Relaxed));
        // A share that is written as 0.29 is a little less than that.
        let most = ((calls * share.of_calls + 1e-6) as u32).max(share.at_least);
        let mut further = self.further.load(Relaxed);
        while further < most {
            let more = further + 1;
            match self
                .further
                .compare_exchange_weak(further, more, Relaxed, Relaxed)
            {
                Ok(_) => return true,
                Err(current) => further = current,
            }
        }
        false
    }

    pub(super) fn leave(&self) {
        self.further.fetch_sub(1, Relaxed);
    }
}

mod sync {
    #[cfg(ziggurat_loom)]
    pub(super) use loom::sync::atomic::{AtomicU32, Ordering::Relaxed};
    #[cfg(not(ziggurat_loom))]
    pub(super) use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const ENVOY: Share = Share {
        at_least: 3,
        of_calls: 0.2,
    };

    #[test]
    fn a_share_of_the_calls_or_a_few() {
        let in_flight = InFlight::default();
        for (calls, places) in [(1, 3), (15, 3), (20, 4), (100, 20)] {
            (0..calls).for_each(|_| in_flight.call());
            let entered = (0..1_000).take_while(|_| in_flight.enter(ENVOY)).count();
            assert_eq!(entered, places, "{calls}");
            (0..places).for_each(|_| in_flight.leave());
            (0..calls).for_each(|_| in_flight.over());
        }
    }

    #[test]
    fn a_share_of_a_hundred_calls_is_its_percentage() {
        for percent in 1..=400 {
            let share = Share {
                at_least: 0,
                of_calls: f64::from(percent) / 100.0,
            };
            let in_flight = InFlight::default();
            (0..100).for_each(|_| in_flight.call());
            let entered = (0..1_000).take_while(|_| in_flight.enter(share)).count();
            assert_eq!(entered, percent as usize);
        }
    }

    #[test]
    fn many_threads_never_have_more_than_there_are_places() {
        let in_flight = InFlight::default();
        (0..50).for_each(|_| in_flight.call());
        let (now, most) = (AtomicU32::new(0), AtomicU32::new(0));
        thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        if in_flight.enter(ENVOY) {
                            most.fetch_max(now.fetch_add(1, Relaxed) + 1, Relaxed);
                            thread::yield_now();
                            now.fetch_sub(1, Relaxed);
                            in_flight.leave();
                        }
                    }
                });
            }
        });
        assert!((1..=10).contains(&most.into_inner()));
        assert_eq!(in_flight.further.into_inner(), 0);
    }
}

#[cfg(ziggurat_loom)]
#[cfg(test)]
mod loom_tests {
    use super::*;
    use loom::{sync::Arc, thread};

    const ONE: Share = Share {
        at_least: 1,
        of_calls: 0.0,
    };

    #[test]
    fn loom_one_place_is_never_taken_twice_and_comes_back() {
        loom::model(|| {
            let in_flight = Arc::new(InFlight::default());
            let inside = Arc::new(AtomicU32::new(0));
            let (other, within) = (Arc::clone(&in_flight), Arc::clone(&inside));
            let visit = |in_flight: &InFlight, inside: &AtomicU32| {
                if in_flight.enter(ONE) {
                    assert_eq!(inside.fetch_add(1, Relaxed), 0);
                    inside.fetch_sub(1, Relaxed);
                    in_flight.leave();
                }
            };
            let theirs = thread::spawn(move || visit(&other, &within));
            visit(&in_flight, &inside);
            theirs.join().unwrap();
            assert!(in_flight.enter(ONE) && !in_flight.enter(ONE));
        });
    }

    #[test]
    fn loom_calls_that_begin_and_end_at_once_are_all_counted() {
        loom::model(|| {
            let in_flight = Arc::new(InFlight::default());
            let other = Arc::clone(&in_flight);
            let theirs = thread::spawn(move || {
                other.call();
                other.over();
                other.call();
            });
            in_flight.call();
            theirs.join().unwrap();
            assert_eq!(in_flight.calls.load(Relaxed), 2);
        });
    }
}
