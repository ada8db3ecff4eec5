//! Which try of a call this is.

use crate::{EndpointId, Trail};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Which try of a call this is; a request extension that a retrying layer writes.
///
/// A request without one is the first try, or the only one; where that goes is noted on a
/// [`Trail`](crate::Trail).
#[derive(Clone, Debug)]
pub struct Attempt {
    number: u32,
    tried: Tried,
    pushback: Option<Duration>,
}

/// The endpoints that the attempts of one call went to; clones share it.
///
/// The balancer notes every pick, so that the next attempt goes elsewhere even when this one is
/// dropped without an answer. It remembers the last four.
#[derive(Clone, Debug, Default)]
pub struct Tried(Arc<[AtomicU64; 4]>);

// === impl Attempt ===

impl Attempt {
    /// The `number`th attempt (the first is 1) of the call that shares `tried`.
    #[must_use]
    pub const fn new(number: u32, tried: Tried) -> Self {
        Self {
            number,
            tried,
            pushback: None,
        }
    }

    /// The server asked, on the attempt before, to wait this long.
    #[must_use]
    pub const fn pushback(mut self, pushback: Option<Duration>) -> Self {
        self.pushback = pushback;
        self
    }

    /// The number of this attempt; the first is 1.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Where the attempts of this call went.
    #[must_use]
    pub const fn tried(&self) -> &Tried {
        &self.tried
    }

    /// How long the server asked to wait on the attempt before.
    #[must_use]
    pub const fn previous_pushback(&self) -> Option<Duration> {
        self.pushback
    }
}

// === impl Tried ===

impl Tried {
    /// Nothing was tried yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn of(tokens: [u64; 4]) -> Self {
        Self(Arc::new(tokens.map(AtomicU64::new)))
    }

    /// An attempt goes to `endpoint`.
    pub fn note(&self, endpoint: &EndpointId) {
        self.note_token(endpoint.token());
    }

    /// Runs `f`, a poll of an attempt whose request carries no [`Attempt`], and notes here where it
    /// goes: as [`Trail::follow`](crate::Trail::follow), for one that others are beside by now.
    pub fn follow<T>(&self, f: impl FnOnce() -> T) -> T {
        let before = self.tokens();
        let mut trail = Trail::of(before);
        let answer = trail.follow(f);
        for token in trail.tokens().into_iter().rev() {
            if !before.contains(&token) {
                self.note_token(token);
            }
        }
        answer
    }

    /// Did one of the last attempts go to `endpoint`?
    #[must_use]
    pub fn contains(&self, endpoint: &EndpointId) -> bool {
        let token = endpoint.token();
        self.0
            .iter()
            .any(|slot| slot.load(Ordering::Relaxed) == token)
    }

    /// Was no endpoint picked yet?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0[0].load(Ordering::Relaxed) == 0
    }

    fn note_token(&self, token: u64) {
        // Relaxed: a hint for the next pick; hedges that race may overwrite one another.
        let [first, rest @ ..] = &*self.0;
        let mut moved = first.swap(token, Ordering::Relaxed);
        for slot in rest {
            if moved == 0 {
                break;
            }
            moved = slot.swap(moved, Ordering::Relaxed);
        }
    }

    fn tokens(&self) -> [u64; 4] {
        self.0.each_ref().map(|token| token.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_four_are_remembered() {
        let tried = Tried::new();
        assert!(tried.is_empty());
        let ids: Vec<_> = (0..6).map(|n| EndpointId::new(format!("e{n}"))).collect();
        for id in &ids {
            assert!(!tried.contains(id));
            tried.clone().note(id);
            assert!(tried.contains(id));
        }
        let kept: Vec<_> = ids.iter().map(|id| tried.contains(id)).collect();
        assert_eq!(kept, [false, false, true, true, true, true]);
    }
}
