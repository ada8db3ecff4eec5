//! The ring alone: against a queue, by threads, and with loom in every order.

use super::*;

#[cfg(not(ziggurat_loom))]
impl Ring {
    /// Records as somebody who is held up: the mark is in its slot, and the sums follow later.
    pub(crate) fn record_by_halves(
        &self,
        generation: u32,
        size: u32,
        mark: Mark,
    ) -> impl FnOnce() + '_ {
        let difference = self.place(generation, size, mark);
        move || self.add(generation, difference.unwrap())
    }
}

#[cfg(not(ziggurat_loom))]
#[test]
fn it_agrees_with_a_queue() {
    let dice = ziggurat_core::Dice::seeded(11);
    for size in [1, 2, 7, 100, MOST] {
        let (ring, mut queue) = (Ring::new(), std::collections::VecDeque::new());
        for _ in 0..3 * MOST {
            let mark = Mark {
                failed: dice.below(3) == 0,
                slow: dice.below(4) == 0,
            };
            ring.record(5, size, mark);
            queue.push_back(mark);
            if queue.len() > size as usize {
                queue.pop_front();
            }
        }
        let count = |is: fn(&Mark) -> bool| queue.iter().filter(|mark| is(mark)).count() as u64;
        let failures = count(|mark| mark.failed);
        let expected = Totals {
            successes: queue.len() as u64 - failures,
            failures,
            slow: count(|mark| mark.slow),
        };
        assert_eq!(ring.totals(5, size), Some(expected), "{size}");
    }
}

#[cfg(not(ziggurat_loom))]
#[test]
fn a_generation_starts_empty_and_an_earlier_one_is_ignored() {
    let ring = Ring::new();
    for generation in [0, 1, 7, 1 << 20] {
        assert_eq!(ring.totals(generation, 3), Some(Totals::default()));
        for _ in 0..5 {
            ring.record(generation, 3, Mark::FAILED);
        }
        ring.record(generation.wrapping_sub(1), 3, Mark::FAILED);
        assert_eq!(ring.totals(generation, 3).unwrap().failures, 3);
    }
}

#[cfg(not(ziggurat_loom))]
#[test]
fn eight_threads_leave_exact_sums() {
    let ring = Ring::new();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let ring = &ring;
            scope.spawn(move || {
                for n in 0..10_000 {
                    let failed = (n + thread) % 2 == 0;
                    ring.record(
                        3,
                        64,
                        Mark {
                            failed,
                            slow: !failed,
                        },
                    );
                }
            });
        }
    });
    let totals = ring.totals(3, 64).unwrap();
    let sum = |is: u32| {
        let slots = ring.slots.iter();
        slots
            .filter(|slot| slot.load(Ordering::Relaxed) & is != 0)
            .count() as u64
    };
    assert_eq!(totals.calls(), 64);
    assert_eq!((totals.failures, totals.slow), (sum(FAILED), sum(SLOW)));
}

#[cfg(ziggurat_loom)]
#[test]
fn loom_sums_are_what_stands_in_the_slots() {
    loom::model(|| {
        let ring = loom::sync::Arc::new(Ring::new());
        ring.record(1, 2, Mark::FAILED);
        let other = loom::sync::Arc::clone(&ring);
        let writer = loom::thread::spawn(move || {
            other.record(1, 2, Mark::FAILED);
            other.record(0, 2, Mark::FAILED);
        });
        let well = Mark {
            failed: false,
            slow: true,
        };
        ring.record(1, 2, well);
        writer.join().unwrap();
        let totals = ring.totals(1, 2).unwrap();
        let slots = || ring.slots.iter().map(|slot| slot.load(Ordering::Relaxed));
        let sum = |is: u32| slots().filter(|slot| slot & is != 0).count() as u64;
        assert_eq!((totals.calls(), totals.failures), (2, sum(FAILED)));
        assert_eq!(totals.slow, sum(SLOW));
    });
}

#[cfg(ziggurat_loom)]
#[test]
fn loom_what_comes_nearest_is_possible_at_every_moment() {
    loom::model(|| {
        let ring = loom::sync::Arc::new(Ring::new());
        ring.record(1, 1, Mark::FAILED);
        let other = loom::sync::Arc::clone(&ring);
        let writer = loom::thread::spawn(move || other.record(1, 1, Mark::WELL));
        ring.record(1, 1, Mark::FAILED);
        assert_eq!(ring.nearest(1, 1).calls(), 1);
        writer.join().unwrap();
        assert_eq!(ring.totals(1, 1), Some(ring.nearest(1, 1)));
    });
}

#[cfg(ziggurat_loom)]
#[test]
fn loom_a_generation_that_begins_counts_only_its_own() {
    loom::model(|| {
        let ring = loom::sync::Arc::new(Ring::new());
        ring.record(1, 2, Mark::FAILED);
        let other = loom::sync::Arc::clone(&ring);
        let writer = loom::thread::spawn(move || other.record(2, 2, Mark::FAILED));
        ring.record(1, 2, Mark::FAILED);
        writer.join().unwrap();
        assert_eq!(ring.totals(2, 2).unwrap().failures, 1);
    });
}

#[cfg(not(ziggurat_loom))]
#[test]
fn each_call_of_a_window_has_a_slot_of_its_own_on_another_line_than_its_neighbours() {
    let slots: Vec<_> = (0..MOST).map(apart).collect();
    let mut sorted = slots.clone();
    sorted.sort_unstable();
    assert!(sorted.into_iter().eq(0..MOST as usize));
    let lines = slots.iter().map(|slot| slot / 16).collect::<Vec<_>>();
    assert!(lines.windows(8).all(|near| !near[1..].contains(&near[0])));
}
