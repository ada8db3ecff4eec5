//! The attempts of one call, one after another.

use crate::{Judge, Repeat, call::Call};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::time::Sleep;
use tower_service::Service;
use ziggurat_core::{BoxError, Stage, Whereabouts};

mod rest;

pin_project! {
    #[project = FutureProj]
    /// The response of a [`Retry`](crate::Retry).
    ///
    /// Dropped, it drops the attempt that is under way; a retry that was paid for and not yet made is
    /// paid back.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, M, Req>
    where
        M: Repeat<Req>,
        S: Service<M::Request>,
    {
        #[pin]
        state: State<S::Future>,
        call: Call<S, M, Req>,
        // All that most calls never need is somewhere else: every layer further out moves what is here.
        spare: Option<Pin<Box<Spare<S, S::Response>>>>,
    }

    impl<S, M, Req> PinnedDrop for ResponseFuture<S, M, Req>
    where
        M: Repeat<Req>,
        S: Service<M::Request>,
    {
        fn drop(this: Pin<&mut Self>) {
            if !matches!(this.state, State::Done) {
                this.tell();
            }
        }
    }
}

pin_project! {
    #[project = SpareProj]
    /// What only a call needs that is not answered at once.
    pub(crate) struct Spare<S, Rsp> {
        // Of the attempt, the pause or the wait until the service is ready, whichever it is.
        #[pin]
        timer: Option<Sleep>,
        // Makes the attempts after the first.
        again: Option<S>,
        // What the attempt before ended with, until the next one is made.
        last: Option<Result<Rsp, BoxError>>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Calling { #[pin] future: F },
        Waiting,
        Readying,
        Failed { error: Option<BoxError> },
        Done,
    }
}

// === impl ResponseFuture ===

impl<S, M, Req> ResponseFuture<S, M, Req>
where
    M: Repeat<Req>,
    S: Service<M::Request>,
{
    /// The first attempt is under way.
    #[inline(always)]
    pub(crate) const fn calling(
        future: S::Future,
        spare: Option<Pin<Box<Spare<S, S::Response>>>>,
        call: Call<S, M, Req>,
    ) -> Self {
        Self {
            state: State::Calling { future },
            call,
            spare,
        }
    }

    /// The first attempt has failed before it began.
    pub(crate) const fn unready(
        error: Option<BoxError>,
        spare: Option<Pin<Box<Spare<S, S::Response>>>>,
        call: Call<S, M, Req>,
    ) -> Self {
        Self {
            state: State::Failed { error },
            call,
            spare,
        }
    }

    /// Says where the call was, which is ended before its end.
    #[cold]
    fn tell(&self) {
        let stage = match &self.state {
            State::Waiting | State::Readying => Some(Stage::Backoff),
            State::Calling { .. } | State::Failed { .. } | State::Done => None,
        };
        Whereabouts::tell(|call| {
            call.attempt = Some(self.call.number());
            call.stage = stage;
            // Not since when another call waited that was dropped before.
            call.since = None;
        });
    }
}

impl<S, M, Req> Future for ResponseFuture<S, M, Req>
where
    M: Repeat<Req> + Judge<S::Response>,
    S: Service<M::Request> + Clone,
    S::Error: Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.as_mut().project();
        let StateProj::Calling { future } = this.state.as_mut().project() else {
            return self.go_on(cx);
        };
        // The way of most calls.
        let following = this.call.follow();
        let polled = future.poll(cx);
        drop(following);
        let Poll::Ready(result) = polled else {
            if this.spare.is_none() && this.call.timer().is_none() {
                return Poll::Pending;
            }
            return self.unanswered(cx);
        };
        let mut result = result.map_err(Into::into);
        if let Some(failure) = this.call.judge(&result) {
            return self.failed(&failure, result, cx);
        }
        this.call.succeeded();
        this.end(&mut result);
        Poll::Ready(result)
    }
}

impl<S, M, Req> fmt::Debug for ResponseFuture<S, M, Req>
where
    M: Repeat<Req>,
    S: Service<M::Request>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

// === impl Spare ===

impl<S, Rsp> Spare<S, Rsp> {
    const fn empty() -> Self {
        Self {
            timer: None,
            again: None,
            last: None,
        }
    }

    pub(crate) fn of(again: S) -> Self {
        Self {
            again: Some(again),
            ..Self::empty()
        }
    }
}
