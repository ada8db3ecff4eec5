//! Where a call went, told without a word in its request.

use crate::{EndpointId, Tried};
use std::cell::Cell;

/// The endpoints that one call went to, as long as its request carries no
/// [`Attempt`](crate::Attempt): a retrying layer leaves that out while there is only one try, as a
/// request extension costs allocations that most calls never need.
///
/// Whoever tries again [follows](Self::follow) a call; a balancer inside of it [notes](Self::note)
/// every pick. It remembers the last four. What another task does is not seen here.
///
/// ```
/// use ziggurat_core::{EndpointId, Trail};
///
/// let one = EndpointId::new("one");
/// let mut trail = Trail::new();
/// trail.follow(|| Trail::note(&one));
/// assert!(trail.follow(|| Trail::leads_to(&one)));
/// assert!(!Trail::leads_to(&one));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trail([u64; 4]);

/// A call is followed until this is dropped, also by a panic: see [`Trail::enter`].
#[derive(Debug)]
#[must_use = "the call is followed until this is dropped"]
pub struct Following<'t> {
    /// Where a call that is followed further out went, if one is: the two are exchanged.
    trail: &'t mut Trail,
    nested: bool,
}

/// What is followed on this thread.
struct Present {
    followed: Cell<bool>,
    /// Zero while nothing is followed: a call that went nowhere yet has nothing to put there.
    tokens: Cell<[u64; 4]>,
}

thread_local! {
    static PRESENT: Present = const {
        Present {
            followed: Cell::new(false),
            tokens: Cell::new([0; 4]),
        }
    };
}

// === impl Trail ===

impl Trail {
    /// The call went nowhere yet.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; 4])
    }

    /// Runs `f`, a `call` or a poll of the call, and keeps what it [notes](Self::note).
    #[inline]
    pub fn follow<T>(&mut self, f: impl FnOnce() -> T) -> T {
        let _following = self.enter();
        f()
    }

    /// The same, until what is returned is dropped: for what is too large to be moved into a closure.
    /// Of those that overlap, the last must be dropped first.
    #[inline]
    pub fn enter(&mut self) -> Following<'_> {
        let nested = PRESENT.with(|present| present.enter(self));
        Following {
            trail: self,
            nested,
        }
    }

    /// The call that is followed here, if one is, goes to `endpoint`.
    #[inline]
    pub fn note(endpoint: &EndpointId) {
        PRESENT.with(|present| {
            if present.followed.get() {
                let [first, second, third, _] = present.tokens.get();
                let moved = [endpoint.token(), first, second, third];
                present.tokens.set(moved);
            }
        });
    }

    /// Did the call that is followed here go to `endpoint`?
    #[must_use]
    #[inline]
    pub fn leads_to(endpoint: &EndpointId) -> bool {
        PRESENT.with(|present| {
            let tokens = present.tokens.get();
            tokens[0] != 0 && tokens.contains(&endpoint.token())
        })
    }

    pub(crate) const fn of(tokens: [u64; 4]) -> Self {
        Self(tokens)
    }

    pub(crate) const fn tokens(self) -> [u64; 4] {
        self.0
    }
}

/// For the request of a later attempt.
impl From<Trail> for Tried {
    fn from(trail: Trail) -> Self {
        Self::of(trail.tokens())
    }
}

// === impl Following ===

impl Drop for Following<'_> {
    #[inline]
    fn drop(&mut self) {
        PRESENT.with(|present| {
            // What neither noted anything nor hid anybody else's has nothing to put back.
            if self.nested || present.tokens.get()[0] != 0 {
                present.exchange(self.trail);
            }
            present.followed.set(self.nested);
        });
    }
}

// === impl Present ===

impl Present {
    /// Follows a call that went there; whether another one was followed.
    #[inline]
    fn enter(&self, trail: &mut Trail) -> bool {
        let nested = self.followed.replace(true);
        if nested || trail.0[0] != 0 {
            self.exchange(trail);
        }
        nested
    }

    #[cold]
    fn exchange(&self, trail: &mut Trail) {
        trail.0 = self.tokens.replace(trail.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic;

    #[test]
    fn a_trail_is_noted_only_where_it_is_followed() {
        let ids: Vec<_> = (0..6).map(|n| EndpointId::new(format!("e{n}"))).collect();
        let (mut outer, mut inner) = (Trail::new(), Trail::new());
        Trail::note(&ids[0]);
        outer.follow(|| {
            Trail::note(&ids[1]);
            inner.follow(|| {
                assert!(!Trail::leads_to(&ids[1]));
                Trail::note(&ids[2]);
            });
            assert!(Trail::leads_to(&ids[1]) && !Trail::leads_to(&ids[2]));
        });
        panic::catch_unwind(panic::AssertUnwindSafe(|| {
            outer.follow(|| {
                Trail::note(&ids[3]);
                panic!("on purpose");
            })
        }))
        .unwrap_err();
        PRESENT.with(|present| {
            assert!(!present.followed.get());
            assert_eq!(present.tokens.get(), [0; 4]);
        });
        let tried = Tried::from(outer);
        let known: Vec<_> = ids.iter().map(|id| tried.contains(id)).collect();
        assert_eq!(known, [false, true, false, true, false, false]);
        assert!(Tried::from(Trail::new()).is_empty());
    }

    #[test]
    fn a_trail_leads_on_where_others_are_beside_it() {
        let ids: Vec<_> = (0..4).map(|n| EndpointId::new(format!("e{n}"))).collect();
        let tried = Tried::new();
        assert!(!tried.follow(|| Trail::leads_to(&ids[0])));
        tried.note(&ids[0]);
        tried.follow(|| {
            assert!(Trail::leads_to(&ids[0]) && !Trail::leads_to(&ids[1]));
            Trail::note(&ids[1]);
            // As another one does meanwhile.
            tried.note(&ids[2]);
            Trail::note(&ids[0]);
        });
        let known: Vec<_> = ids.iter().map(|id| tried.contains(id)).collect();
        assert_eq!(known, [true, true, true, false]);
    }

    #[test]
    fn the_last_four_are_remembered() {
        let ids: Vec<_> = (0..6).map(|n| EndpointId::new(format!("e{n}"))).collect();
        let mut trail = Trail::new();
        for id in &ids {
            trail.follow(|| Trail::note(id));
        }
        let kept: Vec<_> = trail.follow(|| ids.iter().map(Trail::leads_to).collect());
        assert_eq!(kept, [false, false, true, true, true, true]);
    }
}
