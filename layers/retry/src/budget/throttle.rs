//! The tokens of gRPC's `retryThrottling` (gRFC A6).

use self::sync::{AtomicU32, Relaxed};
use super::rules::{TOKEN, Tokens};

/// How many thousandths of a token are gone: none of a fresh one, whatever its rules.
///
/// All orderings are relaxed: the number guards nothing but itself.
#[derive(Debug, Default)]
pub(super) struct Throttle(AtomicU32);

// === impl Throttle ===

impl Throttle {
    pub(super) fn fail(&self, tokens: Tokens) {
        self.change(|gone| gone.min(tokens.max).saturating_add(TOKEN).min(tokens.max));
    }

    pub(super) fn succeed(&self, tokens: Tokens) {
        // Nothing is written while all is well.
        if self.0.load(Relaxed) > 0 {
            self.change(|gone| gone.min(tokens.max).saturating_sub(tokens.ratio));
        }
    }

    /// Is more than half of them left?
    pub(super) fn allows(&self, tokens: Tokens) -> bool {
        let left = tokens.max.saturating_sub(self.0.load(Relaxed));
        left * 2 > tokens.max
    }

    fn change(&self, change: impl Fn(u32) -> u32) {
        let mut old = self.0.load(Relaxed);
        while let Err(current) = self
            .0
            .compare_exchange_weak(old, change(old), Relaxed, Relaxed)
        {
            old = current;
        }
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

    const TEN: Tokens = Tokens {
        max: 10 * TOKEN,
        ratio: 100,
    };

    fn times(times: u32, f: impl Fn()) {
        (0..times).for_each(|_| f());
    }

    #[test]
    fn half_the_tokens_or_less_allow_nothing() {
        let throttle = Throttle::default();
        times(4, || throttle.fail(TEN));
        assert!(throttle.allows(TEN));
        throttle.fail(TEN);
        assert!(!throttle.allows(TEN));
        throttle.succeed(TEN);
        assert!(throttle.allows(TEN), "5.1 of 10");
    }

    #[test]
    fn tokens_stay_between_none_and_all() {
        let throttle = Throttle::default();
        times(100, || throttle.fail(TEN));
        // None left, and not less: 50 successes bring five, and one more the hair that matters.
        times(50, || throttle.succeed(TEN));
        assert!(!throttle.allows(TEN));
        throttle.succeed(TEN);
        assert!(throttle.allows(TEN));
        times(1_000, || throttle.succeed(TEN));
        times(4, || throttle.fail(TEN));
        assert!(throttle.allows(TEN));
        throttle.fail(TEN);
        assert!(!throttle.allows(TEN));
    }

    #[test]
    fn rules_may_change_under_it() {
        let throttle = Throttle::default();
        times(10, || throttle.fail(TEN));
        let more = Tokens {
            max: 100 * TOKEN,
            ratio: 100,
        };
        assert!(throttle.allows(more), "90 of 100");
        times(100, || throttle.fail(more));
        times(51, || throttle.succeed(TEN));
        assert!(throttle.allows(TEN));
    }

    #[test]
    fn many_threads_lose_no_token() {
        let tokens = Tokens {
            max: 1_000 * TOKEN,
            ratio: 1,
        };
        let throttle = Throttle::default();
        times(900, || throttle.fail(tokens));
        thread::scope(|scope| {
            for thread in 0..64 {
                let throttle = &throttle;
                // 64 tokens go, and 32 * 1000 / 1000 come back.
                scope.spawn(move || match thread % 2 {
                    0 => times(1_000, || throttle.succeed(tokens)),
                    _ => times(2, || throttle.fail(tokens)),
                });
            }
        });
        assert_eq!(throttle.0.into_inner(), (900 + 64 - 32) * TOKEN);
    }
}

#[cfg(ziggurat_loom)]
#[cfg(test)]
mod loom_tests {
    use super::*;
    use loom::{sync::Arc, thread};

    #[test]
    fn loom_no_token_is_lost() {
        const TOKENS: Tokens = Tokens {
            max: 10 * TOKEN,
            ratio: 100,
        };
        loom::model(|| {
            let throttle = Arc::new(Throttle::default());
            throttle.fail(TOKENS);
            let other = Arc::clone(&throttle);
            let theirs = thread::spawn(move || other.fail(TOKENS));
            throttle.succeed(TOKENS);
            theirs.join().unwrap();
            assert_eq!(throttle.0.load(Relaxed), 2 * TOKEN - TOKENS.ratio);
        });
    }
}
