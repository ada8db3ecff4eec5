//! What a call was doing when its time was up: told by those that held it, as they are dropped.
//!
//! Nobody keeps a log of a call for the one in a thousand that is late. Whoever ends a call drops
//! what is left of it, and each layer in there knows how far it was.

use crate::clock::Instant;
use std::{cell::Cell, fmt};

/// What a call was doing when its time was up, as far as anybody told.
///
/// ```
/// use ziggurat_core::{Stage, Whereabouts};
///
/// struct Waiting;
/// impl Drop for Waiting {
///     fn drop(&mut self) {
///         Whereabouts::tell(|call| call.stage = Some(Stage::Endpoint));
///     }
/// }
///
/// let ((), call) = Whereabouts::inquire(|| drop(Waiting));
/// assert_eq!(call.stage, Some(Stage::Endpoint));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Whereabouts {
    /// The number of the attempt, or of the one that was to follow the pause; the first is 1.
    pub attempt: Option<u32>,
    /// What it was waiting for.
    pub stage: Option<Stage>,
    /// Since when.
    pub since: Option<Instant>,
}

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// An endpoint that can be picked.
    Endpoint,
    /// The end of a pause between two attempts.
    Backoff,
}

thread_local! {
    static INQUIRY: Cell<Option<Whereabouts>> = const { Cell::new(None) };
}

// === impl Whereabouts ===

impl Whereabouts {
    /// Runs `end`, which drops what is left of a call, and says what the call was doing.
    ///
    /// What another task holds is not dropped here, and is not heard.
    pub fn inquire<T>(end: impl FnOnce() -> T) -> (T, Self) {
        struct Restore(Option<Whereabouts>);
        impl Drop for Restore {
            fn drop(&mut self) {
                INQUIRY.set(self.0);
            }
        }
        // Also when `end` panics.
        let _restore = Restore(INQUIRY.replace(Some(Self::default())));
        let ended = end();
        (ended, INQUIRY.get().unwrap_or_default())
    }

    /// Tells whoever [`inquires`](Self::inquire), if anybody does: for the drop of a future that had
    /// not ended. What is further inside is dropped later, and has the last word.
    pub fn tell(tell: impl FnOnce(&mut Self)) {
        if let Some(mut call) = INQUIRY.get() {
            tell(&mut call);
            INQUIRY.set(Some(call));
        }
    }
}

// === impl Stage ===

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Endpoint => "an endpoint",
            Self::Backoff => "the next attempt",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic;

    #[test]
    fn only_who_is_dropped_while_somebody_asks_is_heard() {
        let tell = |attempt| Whereabouts::tell(|call| call.attempt = Some(attempt));
        tell(1);
        let ((), nobody) = Whereabouts::inquire(|| ());
        assert_eq!(nobody, Whereabouts::default());
        let (inner, outer) = Whereabouts::inquire(|| {
            tell(2);
            Whereabouts::inquire(|| tell(3)).1
        });
        assert_eq!((inner.attempt, outer.attempt), (Some(3), Some(2)));
        panic::catch_unwind(|| Whereabouts::inquire(|| panic!("on purpose"))).unwrap_err();
        tell(4);
        assert_eq!(INQUIRY.get(), None);
    }
}
