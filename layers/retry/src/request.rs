//! How an HTTP request is made once more.

use crate::{
    Beginning, ReplayBody, chain,
    head::{Copied, Told},
    replay::{Replay, is_within},
};
use bytes::Bytes;
use http::{Extensions, HeaderMap, Request, request::Parts};
use http_body::Body;
use std::fmt;
use ziggurat_core::{Attempt, Deadline, clock::Instant, grpc};

mod repeat;
mod wanted;

/// What is kept of an HTTP request: its head, and as much of its body as the limit allows.
pub struct Kept<B> {
    /// `None`: no attempt follows.
    head: Option<Copied>,
    body: Replay<B>,
    /// Its attempts say in a header how long they may take.
    tells: bool,
}

// === impl Kept ===

impl<B: Body<Data = Bytes>> Kept<B> {
    /// Makes the head of the caller's request that of the first attempt, where it stands. A copy of it
    /// is kept, unless it can be sent only once.
    // Written in no function that returns it: what is returned is moved.
    #[inline(always)]
    fn prepare(
        request: &mut Request<B>,
        said: Option<Told>,
        tells: bool,
        begins: &Beginning<'_>,
        attempt: impl FnOnce() -> Attempt,
    ) -> Self {
        if begins.once {
            request.headers_mut().insert(chain::STOP, chain::AGAIN);
        }
        let body = request.body();
        let again = body.is_end_stream() || is_within(body, begins.settings.replay_limit);
        let head = again.then(|| Copied::of(request, said, begins.known));
        let ours = head.as_ref().and_then(Copied::ours);
        if ours.is_none() {
            disown(request.extensions_mut(), attempt);
        }
        let deadline = begins.deadline.map(|(deadline, _)| deadline);
        if ours != Some(deadline) {
            lend(request.extensions_mut(), begins.deadline);
        }
        // What the caller says it has just said.
        if tells && said.is_none() {
            tell(request.headers_mut(), None, begins.deadline);
        }
        let body = Replay::empty();
        Self { head, body, tells }
    }

    /// The body of the first attempt, of which as much is kept as the limit allows.
    #[inline(always)]
    fn keep(&mut self, body: B, begins: &Beginning<'_>) -> ReplayBody<B> {
        let limit = begins.settings.replay_limit;
        if body.is_end_stream() {
            return ReplayBody::default();
        }
        let share = begins.room().share(begins.settings.replay_total);
        self.body = Replay::filled(body, limit, share);
        self.body.body()
    }

    /// The request of a later attempt that nobody has told which one it is.
    fn begin(
        &self,
        attempt: impl FnOnce() -> Attempt,
        deadline: Option<(Deadline, Instant)>,
    ) -> Request<ReplayBody<B>> {
        let mut head = self.head();
        disown(&mut head.extensions, attempt);
        lend(&mut head.extensions, deadline);
        Request::from_parts(head, self.body.body())
    }

    fn make(
        &self,
        attempt: Attempt,
        deadline: Option<(Deadline, Instant)>,
    ) -> Request<ReplayBody<B>> {
        let mut head = self.head();
        head.extensions.insert(attempt);
        lend(&mut head.extensions, deadline);
        Request::from_parts(head, self.body.body())
    }
}

impl<B> Kept<B> {
    /// The head of an attempt that follows.
    fn head(&self) -> Parts {
        let blank = || Request::new(()).into_parts().0;
        self.head.as_ref().map_or_else(blank, Copied::parts)
    }

    fn told(&self) -> Option<Told> {
        self.head.as_ref().and_then(Copied::told)
    }

    /// What the server of a later attempt is told of the time.
    fn tell(&self, headers: &mut HeaderMap, deadline: Option<(Deadline, Instant)>) {
        if self.tells {
            tell(headers, self.told(), deadline);
        }
    }
}

impl<B> fmt::Debug for Kept<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

/// What a layer further out says of its attempts is not said of these.
#[inline]
fn disown(words: &mut Extensions, attempt: impl FnOnce() -> Attempt) {
    if let Some(theirs) = words.get_mut::<Attempt>() {
        *theirs = attempt();
    }
}

/// Whoever serves the attempt has as long as the call.
#[inline]
fn lend(words: &mut Extensions, deadline: Option<(Deadline, Instant)>) {
    if let Some((deadline, _)) = deadline
        && words.get() != Some(&deadline)
    {
        words.insert(deadline);
    }
}

/// What the server of the attempt that begins now is told of the time.
#[inline]
fn tell(headers: &mut HeaderMap, told: Option<Told>, deadline: Option<(Deadline, Instant)>) {
    let Some((deadline, now)) = deadline else {
        return;
    };
    let left = match told {
        Some(told) => told.remaining(now),
        None => Some(deadline.remaining(now)),
    };
    if let Some(left) = left {
        headers.insert(grpc::TIMEOUT, grpc::encode_timeout(left));
    }
}
