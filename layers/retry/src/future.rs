//! The attempts of one call, one after another.

use crate::{Failure, Judge, Repeat, call::Call};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::time::{Sleep, sleep_until};
use tower_service::Service;
use ziggurat_core::{BoxError, Deadline, Stage, Whereabouts, clock, expire};

pin_project! {
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
        // Of the attempt, the pause or the wait until the service is ready, whichever it is. All that
        // most calls never need is somewhere else: every layer further out moves what is here.
        timer: Option<Pin<Box<Sleep>>>,
        // Makes the later attempts.
        again: Option<Box<S>>,
        call: Call<S, M, Req>,
        // What the attempt before ended with, until the next one is made.
        last: Option<Box<Result<S::Response, BoxError>>>,
    }

    impl<S, M, Req> PinnedDrop for ResponseFuture<S, M, Req>
    where
        M: Repeat<Req>,
        S: Service<M::Request>,
    {
        fn drop(this: Pin<&mut Self>) {
            this.tell();
        }
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
    #[inline]
    pub(crate) const fn calling(
        future: S::Future,
        again: Option<Box<S>>,
        call: Call<S, M, Req>,
    ) -> Self {
        Self {
            state: State::Calling { future },
            timer: None,
            again,
            call,
            last: None,
        }
    }

    /// The first attempt has failed before it began.
    pub(crate) const fn failed(
        error: BoxError,
        again: Option<Box<S>>,
        call: Call<S, M, Req>,
    ) -> Self {
        let error = Some(error);
        Self {
            state: State::Failed { error },
            timer: None,
            again,
            call,
            last: None,
        }
    }

    /// Says where the call was, if it is ended before its end.
    fn tell(&self) {
        let stage = match &self.state {
            State::Done => return,
            State::Waiting | State::Readying => Some(Stage::Backoff),
            State::Calling { .. } | State::Failed { .. } => None,
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

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let (result, timed_out) = match this.state.as_mut().project() {
                StateProj::Calling { future } => match this.call.follow(|| future.poll(cx)) {
                    Poll::Ready(result) => (result.map_err(Into::into), false),
                    Poll::Pending => {
                        ready!(poll_timer(this.timer, this.call.timer(), cx));
                        *this.timer = None;
                        match this.call.time_out() {
                            Some(error) => {
                                // Whoever keeps a record of it knows nothing of this timer.
                                expire(|| this.state.set(State::Done));
                                (Err(error.into()), true)
                            }
                            // It goes on with more time.
                            None => continue,
                        }
                    }
                },
                StateProj::Waiting => {
                    ready!(poll_timer(this.timer, None, cx));
                    *this.timer = None;
                    this.state.set(State::Readying);
                    continue;
                }
                StateProj::Readying => {
                    let again = this
                        .again
                        .get_or_insert_with(|| Box::new(this.call.another()));
                    match again.poll_ready(cx) {
                        // Ready at last, and too late: what being ready took is given back.
                        Poll::Ready(Ok(())) if this.call.is_over() => {
                            **again = again.as_ref().clone();
                            break;
                        }
                        Poll::Ready(Ok(())) => {
                            *this.last = None;
                            *this.timer = None;
                            let request = this.call.attempt_now();
                            let future = this.call.follow(|| again.call(request));
                            this.state.set(State::Calling { future });
                            continue;
                        }
                        Poll::Ready(Err(error)) => {
                            // A service that failed must not be asked again.
                            **again = again.as_ref().clone();
                            (Err(error.into()), false)
                        }
                        Poll::Pending => {
                            ready!(poll_timer(this.timer, this.call.last_timer(), cx));
                            break;
                        }
                    }
                }
                StateProj::Failed { error } => match error.take() {
                    Some(error) => (Err(error), false),
                    None => break,
                },
                StateProj::Done => break,
            };
            let follows = if timed_out {
                this.call.follows_failure(&Failure::timed_out())
            } else {
                this.call.follows(&result)
            };
            let Some(delay) = follows else {
                // Whatever the last attempt still holds goes now, even if the caller keeps the future.
                this.state.set(State::Done);
                *this.timer = None;
                let mut result = result;
                this.call.finish(&mut result);
                return Poll::Ready(result);
            };
            *this.last = Some(Box::new(result));
            if delay.is_zero() {
                *this.timer = None;
                this.state.set(State::Readying);
            } else {
                let until = Deadline::after_from(delay, clock::now());
                *this.timer = Some(Box::pin(sleep_until(until.instant())));
                this.state.set(State::Waiting);
            }
        }
        this.state.set(State::Done);
        *this.timer = None;
        // Nothing is left only when it is polled after its end.
        let Some(mut result) = this.last.take() else {
            return Poll::Pending;
        };
        this.call.too_late();
        this.call.finish(&mut result);
        Poll::Ready(*result)
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

/// Waits for the timer, which is set `at` this time unless it is set already.
fn poll_timer(
    timer: &mut Option<Pin<Box<Sleep>>>,
    at: Option<Deadline>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if timer.is_none() {
        *timer = at.map(|at| Box::pin(sleep_until(at.instant())));
    }
    match timer {
        Some(timer) => timer.as_mut().poll(cx),
        None => Poll::Pending,
    }
}
