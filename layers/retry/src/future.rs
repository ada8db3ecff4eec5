//! The attempts of one call, one after another.

use crate::{Failure, Judge, Repeat, call::Call};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Sleep, sleep_until};
use tower_service::Service;
use ziggurat_core::{BoxError, Deadline, Stage, Whereabouts, clock, expire};

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
        // Of the attempt, the pause or the wait until the service is ready, whichever it is. All that
        // most calls never need is somewhere else: every layer further out moves what is here.
        timer: Option<Pin<Box<Sleep>>>,
        call: Call<S, M, Req>,
        spare: Option<Box<Spare<S, S::Response>>>,
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

/// What only the attempts after the first need.
pub(crate) struct Spare<S, Rsp> {
    /// Makes them.
    again: Option<S>,
    /// What the attempt before ended with, until the next one is made.
    last: Option<Result<Rsp, BoxError>>,
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
        spare: Option<Box<Spare<S, S::Response>>>,
        call: Call<S, M, Req>,
    ) -> Self {
        Self {
            state: State::Calling { future },
            timer: None,
            call,
            spare,
        }
    }

    /// The first attempt has failed before it began.
    pub(crate) const fn failed(
        error: Option<BoxError>,
        spare: Option<Box<Spare<S, S::Response>>>,
        call: Call<S, M, Req>,
    ) -> Self {
        Self {
            state: State::Failed { error },
            timer: None,
            call,
            spare,
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

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // The way of most calls.
        if let StateProj::Calling { future } = this.state.as_mut().project() {
            let following = this.call.follow();
            let polled = future.poll(cx);
            drop(following);
            if let Poll::Ready(result) = polled {
                let mut result = result.map_err(Into::into);
                let Some(delay) = this.call.follows(&result) else {
                    this.end(&mut result);
                    return Poll::Ready(result);
                };
                this.pause(result, delay);
                return this.go_on(cx);
            }
            if this.timer.is_none() && this.call.timer().is_none() {
                return Poll::Pending;
            }
            ready!(poll_timer(this.timer, this.call.timer(), cx));
            if let Some(result) = this.time_out() {
                return result;
            }
        }
        this.go_on(cx)
    }
}

impl<S, M, Req> FutureProj<'_, S, M, Req>
where
    M: Repeat<Req> + Judge<S::Response>,
    S: Service<M::Request> + Clone,
    S::Error: Into<BoxError>,
{
    /// From one attempt to the next.
    #[inline(never)]
    fn go_on(mut self, cx: &mut Context<'_>) -> Poll<Result<S::Response, BoxError>> {
        loop {
            let mut result = match self.state.as_mut().project() {
                StateProj::Calling { future } => {
                    let following = self.call.follow();
                    let polled = future.poll(cx);
                    drop(following);
                    match polled {
                        Poll::Ready(result) => result.map_err(Into::into),
                        Poll::Pending => {
                            ready!(poll_timer(self.timer, self.call.timer(), cx));
                            match self.time_out() {
                                Some(result) => return result,
                                None => continue,
                            }
                        }
                    }
                }
                StateProj::Waiting => {
                    ready!(poll_timer(self.timer, None, cx));
                    *self.timer = None;
                    self.state.set(State::Readying);
                    continue;
                }
                StateProj::Readying => {
                    let Spare { again, last } = &mut **self.spare.get_or_insert_default();
                    let again = again.get_or_insert_with(|| self.call.another());
                    match again.poll_ready(cx) {
                        // Ready at last, and too late: what being ready took is given back.
                        Poll::Ready(Ok(())) if self.call.is_over() => {
                            *again = again.clone();
                            return self.too_late();
                        }
                        Poll::Ready(Ok(())) => {
                            *last = None;
                            *self.timer = None;
                            let request = self.call.attempt_now();
                            let following = self.call.follow();
                            let future = again.call(request);
                            drop(following);
                            self.state.set(State::Calling { future });
                            continue;
                        }
                        Poll::Ready(Err(error)) => {
                            // A service that failed must not be asked again.
                            *again = again.clone();
                            Err(error.into())
                        }
                        Poll::Pending => {
                            ready!(poll_timer(self.timer, self.call.last_timer(), cx));
                            return self.too_late();
                        }
                    }
                }
                StateProj::Failed { error } => match error.take() {
                    Some(error) => Err(error),
                    None => return self.too_late(),
                },
                StateProj::Done => return self.too_late(),
            };
            let Some(delay) = self.call.follows(&result) else {
                self.end(&mut result);
                return Poll::Ready(result);
            };
            self.pause(result, delay);
        }
    }

    /// The timer of the present attempt has gone off. `None`: the call goes on, or the attempt does,
    /// with more time.
    fn time_out(&mut self) -> Option<Poll<Result<S::Response, BoxError>>> {
        *self.timer = None;
        let error = self.call.time_out()?;
        // Whoever keeps a record of it knows nothing of this timer.
        expire(|| self.state.set(State::Done));
        let mut result = Err(error.into());
        let Some(delay) = self.call.follows_failure(&Failure::timed_out()) else {
            self.end(&mut result);
            return Some(Poll::Ready(result));
        };
        self.pause(result, delay);
        None
    }

    /// Another attempt follows this result after so long.
    fn pause(&mut self, result: Result<S::Response, BoxError>, delay: Duration) {
        self.spare.get_or_insert_default().last = Some(result);
        if delay.is_zero() {
            *self.timer = None;
            self.state.set(State::Readying);
        } else {
            let until = Deadline::after_from(delay, clock::now());
            *self.timer = Some(Box::pin(sleep_until(until.instant())));
            self.state.set(State::Waiting);
        }
    }

    /// No attempt follows this result.
    #[inline]
    fn end(&mut self, result: &mut Result<S::Response, BoxError>) {
        // Whatever the last attempt still holds goes now, even if the caller keeps the future.
        self.state.set(State::Done);
        *self.timer = None;
        self.call.finish(result);
    }

    /// The attempt that was to follow is not made.
    fn too_late(&mut self) -> Poll<Result<S::Response, BoxError>> {
        self.state.set(State::Done);
        *self.timer = None;
        // Nothing is left only when it is polled after its end.
        let last = self.spare.as_mut().and_then(|spare| spare.last.take());
        let Some(mut result) = last else {
            return Poll::Pending;
        };
        self.call.too_late();
        self.call.finish(&mut result);
        Poll::Ready(result)
    }
}

// === impl Spare ===

impl<S, Rsp> Spare<S, Rsp> {
    pub(crate) const fn of(again: S) -> Self {
        Self {
            again: Some(again),
            last: None,
        }
    }
}

impl<S, Rsp> Default for Spare<S, Rsp> {
    fn default() -> Self {
        Self {
            again: None,
            last: None,
        }
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
