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
use ziggurat_core::{BoxError, Deadline, Stage, Whereabouts, clock, clock::Instant, expire};

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
        // Of the attempt, the pause or the wait until the service is ready, whichever it is.
        #[pin]
        timer: Option<Sleep>,
        // Makes the later attempts.
        again: S,
        call: Call<M, Req>,
        // What the attempt before ended with, until the next one is made.
        last: Option<Result<S::Response, BoxError>>,
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
    /// Nothing is sent yet: it is made where it stays, for it is large.
    #[inline]
    pub(crate) const fn new(again: S, call: Call<M, Req>) -> Self {
        Self {
            state: State::Done,
            timer: None,
            again,
            call,
            last: None,
        }
    }

    /// Makes the first attempt, of `ready`.
    #[inline]
    pub(crate) fn begin(&mut self, ready: &mut S, now: Option<Instant>) {
        let request = self.call.attempt(now);
        let future = self.call.follow(|| ready.call(request));
        self.state = State::Calling { future };
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

    /// The first attempt has failed before it began.
    pub(crate) fn fail(&mut self, error: BoxError) {
        let error = Some(error);
        self.state = State::Failed { error };
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
                        ready!(poll_timer(this.timer.as_mut(), this.call.timer(), cx));
                        this.timer.set(None);
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
                    ready!(poll_timer(this.timer.as_mut(), None, cx));
                    this.timer.set(None);
                    this.state.set(State::Readying);
                    continue;
                }
                StateProj::Readying => match this.again.poll_ready(cx) {
                    // Ready at last, and too late: what being ready took is given back.
                    Poll::Ready(Ok(())) if this.call.is_over() => {
                        *this.again = this.again.clone();
                        break;
                    }
                    Poll::Ready(Ok(())) => {
                        *this.last = None;
                        this.timer.set(None);
                        let request = this.call.attempt_now();
                        let again = &mut *this.again;
                        let future = this.call.follow(|| again.call(request));
                        this.state.set(State::Calling { future });
                        continue;
                    }
                    Poll::Ready(Err(error)) => {
                        // A service that failed must not be asked again.
                        *this.again = this.again.clone();
                        (Err(error.into()), false)
                    }
                    Poll::Pending => {
                        ready!(poll_timer(this.timer.as_mut(), this.call.last_timer(), cx));
                        break;
                    }
                },
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
                this.timer.set(None);
                let mut result = result;
                this.call.finish(&mut result);
                return Poll::Ready(result);
            };
            *this.last = Some(result);
            if delay.is_zero() {
                this.timer.set(None);
                this.state.set(State::Readying);
            } else {
                let until = Deadline::after_from(delay, clock::now());
                this.timer.set(Some(sleep_until(until.instant())));
                this.state.set(State::Waiting);
            }
        }
        this.state.set(State::Done);
        this.timer.set(None);
        // Nothing is left only when it is polled after its end.
        let Some(mut result) = this.last.take() else {
            return Poll::Pending;
        };
        this.call.too_late();
        this.call.finish(&mut result);
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

/// Waits for the timer, which is set `at` this time unless it is set already.
fn poll_timer(
    mut timer: Pin<&mut Option<Sleep>>,
    at: Option<Deadline>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if timer.is_none() {
        timer.set(at.map(|at| sleep_until(at.instant())));
    }
    match timer.as_pin_mut() {
        Some(timer) => timer.poll(cx),
        None => Poll::Pending,
    }
}
