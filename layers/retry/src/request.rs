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
    /// The head, where there is no body to keep it beside.
    own: Option<Box<Copied>>,
    body: Replay<B>,
    /// Its attempts say in a header how long they may take.
    tells: bool,
}

// === impl Kept ===

impl<B: Body<Data = Bytes>> Kept<B> {
    /// Makes the request of the first attempt of the caller's own. A copy of its head is kept, unless
    /// it can be sent only once.
    // Inlined by force: a request is moved into every function that is not, and out of it.
    #[inline(always)]
    fn first(
        &mut self,
        mut request: Request<B>,
        said: Option<Told>,
        begins: &Beginning<'_>,
        attempt: impl FnOnce() -> Attempt,
    ) -> Request<ReplayBody<B>> {
        if begins.once {
            request.headers_mut().insert(chain::STOP, chain::AGAIN);
        }
        let empty = request.body().is_end_stream();
        let again = empty || is_within(request.body(), begins.settings.replay_limit);
        let copied = again.then(|| Copied::of(&request, said, begins.known));
        if begins.told {
            request.extensions_mut().insert(attempt());
        } else {
            disown(request.extensions_mut(), attempt);
        }
        lend(request.extensions_mut(), begins.deadline);
        self.tell(request.headers_mut(), said, begins.deadline);
        // Last, and all at once: a head is large, and every time it is moved can be seen.
        request.map(|body| self.keep(body, empty, copied, begins))
    }

    #[inline(always)]
    fn keep(
        &mut self,
        body: B,
        empty: bool,
        copied: Option<Copied>,
        begins: &Beginning<'_>,
    ) -> ReplayBody<B> {
        if empty {
            self.own = copied.map(Box::new);
            return ReplayBody::default();
        }
        let limit = begins.settings.replay_limit;
        let share = begins.room().share(begins.settings.replay_total);
        self.body = Replay::beside(body, limit, share, copied);
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
    /// Of a request that was not taken apart yet.
    const fn nothing() -> Self {
        Self {
            own: None,
            body: Replay::empty(),
            tells: false,
        }
    }

    /// The head of an attempt that follows.
    fn head(&self) -> Parts {
        self.copied()
            .map_or_else(|| Request::new(()).into_parts().0, Copied::parts)
    }

    fn told(&self) -> Option<Told> {
        self.copied().and_then(Copied::told)
    }

    /// What the server of the attempt that begins now is told of the time.
    #[inline]
    fn tell(
        &self,
        headers: &mut HeaderMap,
        told: Option<Told>,
        deadline: Option<(Deadline, Instant)>,
    ) {
        let Some((deadline, now)) = deadline.filter(|_| self.tells) else {
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

    /// `None`: no attempt follows.
    fn copied(&self) -> Option<&Copied> {
        self.own.as_deref().or_else(|| self.body.head())
    }
}

impl<B> fmt::Debug for Kept<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("head", &self.copied())
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
