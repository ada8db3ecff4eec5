//! When to connect again: a plain machine without a clock.

use std::time::Duration;
use ziggurat_core::{Backoff, Dice};

/// Counts what failed since a connection last proved itself.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    failures: u32,
}

/// When the next connection is made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// At once: the one before did its work.
    Now,
    /// After this long.
    After(Duration),
}

/// A connection that ends sooner, of no use to anybody, is no success: or a server that hangs up on
/// everybody would be dialled without a pause.
const PROVEN: Duration = Duration::from_millis(100);

// === impl Attempts ===

impl Attempts {
    /// A try to connect failed.
    pub(crate) fn failed(&mut self, backoff: &Backoff, dice: &Dice) -> Duration {
        self.failures = self.failures.saturating_add(1);
        backoff.delay(self.failures, dice)
    }

    /// A connection ended that had lived this long, and may have been of use.
    pub(crate) fn ended(
        &mut self,
        lived: Duration,
        useful: bool,
        backoff: &Backoff,
        dice: &Dice,
    ) -> Next {
        if useful || lived >= PROVEN {
            self.failures = 0;
            return Next::Now;
        }
        Next::After(self.failed(backoff, dice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn grpc_without_jitter() -> Backoff {
        Backoff::GRPC_CONNECT.jitter(0.0).unwrap()
    }

    #[test]
    fn failures_back_off_as_grpc_does_until_a_connection_proves_itself() {
        let (backoff, dice) = (grpc_without_jitter(), Dice::new());
        let mut attempts = Attempts::default();
        let delays: Vec<_> = (0..20).map(|_| attempts.failed(&backoff, &dice)).collect();
        assert_eq!(delays[..3], [1_000 * MS, 1_600 * MS, 2_560 * MS]);
        assert_eq!(delays[19], 120_000 * MS);
        assert_eq!(attempts.ended(PROVEN, false, &backoff, &dice), Next::Now);
        assert_eq!(attempts.failed(&backoff, &dice), 1_000 * MS);
    }

    #[test]
    fn a_connection_that_ends_at_once_is_a_failure_unless_it_was_of_use() {
        let (backoff, dice) = (grpc_without_jitter(), Dice::new());
        let mut attempts = Attempts::default();
        let mut hung_up = || attempts.ended(MS, false, &backoff, &dice);
        assert_eq!(hung_up(), Next::After(1_000 * MS));
        assert_eq!(hung_up(), Next::After(1_600 * MS));
        assert_eq!(attempts.ended(MS, true, &backoff, &dice), Next::Now);
    }

    #[test]
    fn two_endpoints_do_not_come_back_in_step() {
        let dice = Dice::seeded(7);
        let delays = |attempts: &mut Attempts| -> Vec<_> {
            let failed = |_| attempts.failed(&Backoff::GRPC_CONNECT, &dice);
            (0..8).map(failed).collect()
        };
        let one = delays(&mut Attempts::default());
        let other = delays(&mut Attempts::default());
        assert!(one.iter().zip(&other).all(|(one, other)| one != other));
    }
}
