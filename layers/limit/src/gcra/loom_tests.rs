//! Two threads at one limit, in every order that the memory model allows.

use super::*;
use loom::{sync::Arc, thread};

const SECOND: u64 = 1_000_000_000;

#[test]
fn loom_two_threads_share_a_burst_exactly() {
    loom::model(|| {
        let rate = Rate::per_second(1).unwrap().burst(3).unwrap();
        let gcra = Arc::new(Gcra::new());
        let take = move |gcra: &Gcra, cost| gcra.take(rate, cost, 0, || (rate, 0)).is_ok();
        let other = {
            let gcra = Arc::clone(&gcra);
            thread::spawn(move || u32::from(take(&gcra, 1)) + u32::from(take(&gcra, 1)))
        };
        let mine = if take(&gcra, 2) { 2 } else { 0 };
        let taken = mine + other.join().unwrap();
        // Two and one; or one and one, and then two are too many, but one is left.
        let left = u32::from(take(&gcra, 1));
        assert_eq!(taken + left, 3);
        assert!(!take(&gcra, 1));
    });
}

#[test]
fn loom_a_change_of_the_rate_is_told_once() {
    loom::model(|| {
        let slow = Rate::new(1, std::time::Duration::from_secs(3_600)).unwrap();
        let fast = Rate::per_second(1).unwrap().burst(5).unwrap();
        let gcra = Arc::new(Gcra::new());
        assert!(gcra.take(slow, 1, 0, || (slow, 0)).is_ok());
        let take = move |gcra: &Gcra| gcra.take(fast, 1, 0, || (fast, 0)).is_ok();
        let other = {
            let gcra = Arc::clone(&gcra);
            thread::spawn(move || take(&gcra))
        };
        let mine = take(&gcra);
        // An hour is owed; no more than a burst of the new rate is, but for one call.
        assert!(mine ^ other.join().unwrap());
        assert_eq!(gcra.wait(fast, 1, 0), SECOND);
    });
}
