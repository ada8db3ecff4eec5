//! Which calls are timed, and what the mean of them says of all.

use super::*;
use crate::{Vegas, Window};
use std::collections::VecDeque;
use ziggurat_core::clock;

const WINDOW: Duration = Duration::from_millis(100);

fn took(stands_for: u32) -> Lesson {
    Lesson::Took(Duration::from_millis(1), stands_for)
}

/// So many calls of a millisecond, spread over a window; says how many were timed.
fn window(adaptive: &Adaptive, begin: Instant, calls: u32) -> u32 {
    let mut timed = 0;
    for call in 1..=calls {
        let now = begin + WINDOW * call / calls;
        if let Some(stands_for) = adaptive.timed() {
            timed += 1;
            adaptive.learn(now, took(stands_for), 9, WINDOW);
        }
    }
    timed
}

#[test]
fn of_few_calls_all_are_timed_and_of_many_some() {
    let (adaptive, begin) = (Adaptive::new(Vegas::new()), clock::now());
    for turn in 0..9 {
        assert_eq!(window(&adaptive, begin + WINDOW * turn, 100), 100, "{turn}");
    }
    // As soon as there are many, and not only in the next window.
    let timed = window(&adaptive, begin + WINDOW * 9, 10_000);
    assert!((700..1_400).contains(&timed), "{timed}");
    window(&adaptive, begin + WINDOW * 10, 10_000);
    assert_eq!(adaptive.stride.load(Ordering::Relaxed), MOST);
    let timed = window(&adaptive, begin + WINDOW * 11, 10_000);
    assert!((400..900).contains(&timed), "{timed}");
    // Few again: after a window of what is left, all.
    for turn in 12..40 {
        window(&adaptive, begin + WINDOW * turn, 100);
    }
    assert_eq!(adaptive.stride.load(Ordering::Relaxed), 1);
}

#[test]
fn all_are_timed_again_once_one_is_dropped_or_finds_no_permit() {
    let (adaptive, now) = (Adaptive::new(Vegas::new()), clock::now());
    adaptive.stride.store(MOST, Ordering::Relaxed);
    adaptive.learn(now, Lesson::Dropped, 9, WINDOW);
    assert!((0..99).all(|_| adaptive.timed() == Some(1)));
    adaptive.stride.store(MOST, Ordering::Relaxed);
    adaptive.time_all();
    // However many come.
    for _ in 0..9_999 {
        assert_eq!(adaptive.timed(), Some(1));
        adaptive.learn(now, took(1), 9, WINDOW);
    }
}

/// Hears how long calls took, in milliseconds.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<f64>>>);

impl Algorithm for Heard {
    fn limit(&self) -> u32 {
        1_000_000
    }

    fn update(&mut self, window: &Window) -> u32 {
        let latency = window.latency.map_or(0.0, |latency| latency.as_secs_f64());
        self.0.lock().unwrap().push(latency * 1_000.0);
        self.limit()
    }
}

#[test]
fn calls_of_which_some_take_long_are_weighed_as_they_were_chosen_when_that_changes_meanwhile() {
    let heard = Heard::default();
    let (adaptive, begin) = (Adaptive::new(heard.clone()), clock::now());
    // Ten thousand a window: of ten, seven take a millisecond and three a quarter of a second.
    let (mut under_way, mut due) = (VecDeque::new(), Vec::new());
    for call in 0..200_000_u32 {
        let now = begin + Duration::from_micros(10) * call;
        let timed = adaptive.timed();
        let slow = call % 10 < 3;
        let took = Duration::from_millis(if slow { 250 } else { 1 });
        if slow {
            under_way.push_back((now + took, timed));
        } else {
            due.push((took, timed));
        }
        while under_way.front().is_some_and(|(ends, _)| *ends <= now) {
            due.extend(
                under_way
                    .pop_front()
                    .map(|(_, timed)| (Duration::from_millis(250), timed)),
            );
        }
        for (took, timed) in due.drain(..) {
            if let Some(stands_for) = timed {
                adaptive.learn(now, Lesson::Took(took, stands_for), 9, WINDOW);
            }
        }
        // Half a second with, and half a second without.
        if call % 100_000 >= 50_000 {
            adaptive.time_all();
        }
    }
    let mean = 0.7 * 1.0 + 0.3 * 250.0;
    let heard = heard.0.lock().unwrap();
    // The first slow calls end in the third window.
    assert!(heard.len() > 15, "{heard:?}");
    for latency in &heard[4..] {
        assert!((mean * 0.6..mean * 1.5).contains(latency), "{heard:?}");
    }
}
