//! How a request is made once more, and what its answer says about that.

use crate::{Failure, ReplayRoom, Settings, replay::Rooms, shared::Chosen};
use ziggurat_core::{Attempt, BoxError, CallOptions, Carry, Deadline, KnownWord, clock::Instant};

mod values;

pub use self::values::ByPredicate;

/// Knows how a request of type `Req` is made once more.
pub trait Repeat<Req>: Clone {
    /// What the inner service is given.
    type Request;
    /// What is kept of a request while its call lasts; dropped, no attempt follows.
    type Kept;

    /// What the call wants.
    fn wanted(&self, request: &Req, settings: &Settings) -> Wanted;

    /// Makes a request that of the first attempt of a call, as far as that can be done where it stands,
    /// and says what is kept of it. [`first`](Self::first) is given both.
    ///
    /// Where the first attempt goes is noted on a [`Trail`](ziggurat_core::Trail), so a request that has
    /// to be made larger for it may go without `attempt`.
    fn prepare(
        &self,
        request: &mut Req,
        begins: &Beginning<'_>,
        attempt: impl FnOnce() -> Attempt,
    ) -> Self::Kept;

    /// The request of the first attempt of a call, which was [prepared](Self::prepare): last, and all at
    /// once, as what is large is slow to move.
    fn first(&self, request: Req, kept: &mut Self::Kept, begins: &Beginning<'_>) -> Self::Request;

    /// Makes the request of the first attempt once more, as [`prepare`](Self::prepare) has: that one
    /// was not sent.
    fn begin(
        &self,
        kept: &mut Self::Kept,
        attempt: impl FnOnce() -> Attempt,
        deadline: Option<(Deadline, Instant)>,
    ) -> Self::Request {
        self.make(kept, attempt, deadline)
    }

    /// Makes the request of an attempt of a call that must be over by the `deadline`, seen from the
    /// moment beside it. `attempt` says which one it is, to whom it can be told.
    fn make(
        &self,
        kept: &mut Self::Kept,
        attempt: impl FnOnce() -> Attempt,
        deadline: Option<(Deadline, Instant)>,
    ) -> Self::Request;

    /// Could the request be made once more, as far as one can tell?
    fn is_repeatable(&self, kept: &Self::Kept) -> bool {
        let _ = kept;
        true
    }

    /// Stops what is left of the attempts so far; false if the request cannot be made once more.
    fn rewind(&self, kept: &mut Self::Kept) -> bool {
        self.is_repeatable(kept)
    }

    /// Lets another attempt be made beside those under way, which go on: its turn, by which
    /// [`choose`](Self::choose) knows it; `None` if the request cannot be made once more.
    fn join(&self, kept: &mut Self::Kept) -> Option<u32> {
        self.is_repeatable(kept).then_some(0)
    }

    /// Of all attempts under way only the one of this turn goes on.
    fn choose(&self, kept: &mut Self::Kept, turn: u32) {
        let _ = (kept, turn);
    }

    /// The turn of the only attempt that can go on, if the request has outgrown what can be kept.
    fn survivor(&self, kept: &Self::Kept) -> Option<u32> {
        let _ = kept;
        None
    }

    /// What is called, if requests are of several kinds: the path of an HTTP request.
    fn method<'a>(&self, request: &'a Req) -> Option<&'a str> {
        let _ = request;
        None
    }

    /// No attempt follows: lets go of what is kept for one. Whoever keeps the future of a call that
    /// is over does not keep its body.
    fn commit(&self, kept: &mut Self::Kept) {
        let _ = kept;
    }

    /// Can the request not be made once more because others kept too much?
    fn is_crowded(&self, kept: &Self::Kept) -> bool {
        let _ = kept;
        false
    }
}

/// Knows what an answer of type `Rsp` says about trying again.
pub trait Judge<Rsp> {
    /// What went wrong; `None`: nothing, or nothing that can be taken back any more.
    fn judge(&self, result: &Result<Rsp, BoxError>) -> Option<Failure>;

    /// All tries that the call was worth were made, and this is what its caller gets. If that is
    /// handed on to somebody who tries again, too, it should say that there is no use in it.
    fn give_up(&self, result: &mut Result<Rsp, BoxError>) {
        let _ = result;
    }

    /// So many attempts, and never none, came before the one that ended like this: whoever made the
    /// call may want to know.
    fn attempted(&self, result: &mut Result<Rsp, BoxError>, previous: u32) {
        let _ = (result, previous);
    }
}

/// How a call begins.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Beginning<'c> {
    /// The settings of the call.
    pub settings: &'c Settings,
    pub(crate) rooms: &'c Rooms,
    /// It serves the further attempt of another call.
    pub once: bool,
    /// The requests of its attempts say how long they may take.
    pub tells: bool,
    pub(crate) known: Option<KnownWord>,
    /// It must be over by then, seen from the moment beside it.
    pub deadline: Option<(Deadline, Instant)>,
}

/// What a call wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wanted {
    /// It must be over by then.
    pub deadline: Option<Deadline>,
    /// It may be made twice even if a server may have acted on it.
    pub idempotent: bool,
    /// A hash of what is called: answers are measured for each.
    pub method: u64,
    /// It is made once, unless no server has seen it: the layer sets it for calls that serve the
    /// further attempt of another one.
    pub once: bool,
}

// === impl Beginning ===

impl<'c> Beginning<'c> {
    #[inline]
    pub(crate) fn of<S, M>(
        chosen: &'c Chosen<S, M>,
        wanted: &Wanted,
        now: Option<Instant>,
    ) -> Self {
        Self {
            settings: chosen.settings(),
            rooms: &chosen.shared().state.rooms,
            once: wanted.once,
            tells: chosen.shared().tells,
            known: chosen.shared().known,
            deadline: wanted.deadline.zip(now),
        }
    }

    /// What is kept of its body counts towards the room for all of them.
    #[must_use]
    pub fn room(&self) -> &'c ReplayRoom {
        self.rooms.mine()
    }
}

// === impl Wanted ===

impl Wanted {
    /// What the words say that the request carries; `idempotent` where they say nothing.
    #[inline]
    pub fn of<C: Carry<Req>, Req>(carry: &C, request: &Req, idempotent: bool) -> Self {
        let options = carry
            .extensions(request)
            .and_then(|extensions| extensions.get::<CallOptions>());
        Self {
            deadline: carry.deadline(request),
            idempotent: options
                .and_then(|options| options.idempotent)
                .unwrap_or(idempotent),
            method: 0,
            once: false,
        }
    }

    /// Sets [`method`](Self::method).
    #[must_use]
    pub const fn method(mut self, method: u64) -> Self {
        self.method = method;
        self
    }
}
