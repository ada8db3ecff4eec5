//! Whether so few endpoints may be picked that nobody's ejection counts any more.
//!
//! As Envoy's panic threshold: when most are out, those that are left would be swamped, and what put
//! the others out is more likely a mistake, or everybody's trouble, than theirs.

use crate::{facts::Facts, hub::Hub, pause::pause, policy::Arrange};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use ziggurat_core::{State, clock, contain};

/// What picks read; the driver task alone writes it.
#[derive(Debug, Default)]
pub(crate) struct Panic(AtomicBool);

/// Nobody panics any more when nobody counts any more.
struct Counting<'a>(&'a Panic);

/// Endpoints are not counted more often than this,
const PAUSE: Duration = Duration::from_millis(10);
/// nor more often than so long for each of them: at about 10 ns, that is a thousandth of a CPU.
const PAUSE_EACH: Duration = Duration::from_micros(10);

// === impl Panic ===

impl Panic {
    /// Are those that are connected and ejected to be picked like the others?
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        // Relaxed: who reads it a moment late picks a moment late.
        self.0.load(Ordering::Relaxed)
    }

    /// Answers whether that is news.
    fn turn(&self, on: bool) -> bool {
        self.0.swap(on, Ordering::Relaxed) != on
    }
}

// === impl Counting ===

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        self.0.turn(false);
    }
}

/// Counts the endpoints whenever one of them has changed, for ever.
pub(crate) async fn count<E, P: Arrange>(hub: &Hub<E, P>) {
    let _counting = Counting(hub.panic());
    loop {
        // Made before the look: it hears of every change after it.
        let changed = hub.changed().notified();
        let known = look(hub);
        let next = clock::now() + PAUSE.max(PAUSE_EACH.saturating_mul(known));
        changed.await;
        pause(next.saturating_duration_since(clock::now())).await;
    }
}

/// Answers how many there are.
fn look<E, P: Arrange>(hub: &Hub<E, P>) -> u32 {
    let threshold = hub.facts().settings().threshold();
    let set = hub.set();
    let known = set.candidates().len();
    let (mut pickable, mut ejected) = (0, false);
    for candidate in set.candidates().iter().filter(|_| threshold > 0) {
        pickable += usize::from(candidate.state() <= State::Idle);
        ejected |= candidate.state() == State::Ejected && candidate.is_last_resort();
    }
    drop(set);
    // Of those that are connecting, or down, there is nobody to be had by it.
    let on = ejected && is_below(pickable, known, threshold);
    if hub.panic().turn(on) {
        tell(hub.facts(), on, pickable, known);
        // Calls that wait may be served now.
        hub.changed().notify_waiters();
    }
    u32::try_from(known).unwrap_or(u32::MAX)
}

/// Is the part of `known` that may be picked below `percent`?
const fn is_below(pickable: usize, known: usize, percent: u8) -> bool {
    (pickable as u128) * 100 < (known as u128) * percent as u128
}

fn tell(facts: &Facts, on: bool, pickable: usize, known: usize) {
    let service = facts.service();
    if on {
        tracing::warn!(
            service,
            pickable,
            known,
            "too few endpoints are well: ejections are disregarded"
        );
    } else {
        tracing::info!(
            service,
            pickable,
            known,
            "enough endpoints are well: ejections count again"
        );
    }
    if let Some(observer) = facts.observer() {
        contain(|| observer.panicking(service, on));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_threshold_is_not_below_it_and_zero_is_never_reached() {
        assert!(!is_below(5, 10, 50) && is_below(4, 10, 50));
        assert!(!is_below(1, 2, 50) && is_below(1, 3, 50));
        assert!(!is_below(0, 10, 0) && !is_below(0, 0, 50));
        assert!(is_below(9, 10, 100) && !is_below(10, 10, 100));
        assert!(is_below(usize::MAX / 3, usize::MAX, 50));
    }
}
