//! What most calls never come to: waiting for longer, and the attempts after the first.

use super::{FutureProj, ResponseFuture, Spare, SpareProj, State, StateProj};
use crate::{Failure, Judge, Repeat};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::sleep_until;
use tower_service::Service;
use ziggurat_core::{BoxError, Deadline, clock, expire};

// === impl ResponseFuture ===

impl<S, M, Req> ResponseFuture<S, M, Req>
where
    M: Repeat<Req> + Judge<S::Response>,
    S: Service<M::Request> + Clone,
    S::Error: Into<BoxError>,
{
    #[inline(never)]
    pub(super) fn go_on(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<<Self as Future>::Output> {
        self.project().go_on(cx)
    }

    /// The first attempt is not answered yet, and there may be a timer.
    #[inline(never)]
    pub(super) fn unanswered(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<<Self as Future>::Output> {
        let mut this = self.project();
        ready!(this.poll_timer(this.call.timer(), cx));
        match this.time_out() {
            Some(result) => result,
            None => this.go_on(cx),
        }
    }

    /// The attempt under way has failed.
    #[inline(never)]
    pub(super) fn failed(
        self: Pin<&mut Self>,
        failure: &Failure,
        mut result: Result<S::Response, BoxError>,
        cx: &mut Context<'_>,
    ) -> Poll<<Self as Future>::Output> {
        let mut this = self.project();
        let Some(delay) = this.call.follows(failure) else {
            this.end(&mut result);
            return Poll::Ready(result);
        };
        this.pause(result, delay);
        this.go_on(cx)
    }
}

// === impl FutureProj ===

impl<S, M, Req> FutureProj<'_, S, M, Req>
where
    M: Repeat<Req> + Judge<S::Response>,
    S: Service<M::Request> + Clone,
    S::Error: Into<BoxError>,
{
    /// From one attempt to the next.
    fn go_on(&mut self, cx: &mut Context<'_>) -> Poll<Result<S::Response, BoxError>> {
        loop {
            let mut result = match self.state.as_mut().project() {
                StateProj::Calling { future } => {
                    let following = self.call.follow();
                    let polled = future.poll(cx);
                    drop(following);
                    match polled {
                        Poll::Ready(result) => result.map_err(Into::into),
                        Poll::Pending => {
                            ready!(self.poll_timer(self.call.timer(), cx));
                            match self.time_out() {
                                Some(result) => return result,
                                None => continue,
                            }
                        }
                    }
                }
                StateProj::Waiting => {
                    ready!(self.poll_timer(None, cx));
                    self.clear_timer();
                    self.state.set(State::Readying);
                    continue;
                }
                StateProj::Readying => {
                    let mut spare = spare(self.spare);
                    let again = spare.again.get_or_insert_with(|| self.call.another());
                    match again.poll_ready(cx) {
                        // Ready at last, and too late: what being ready took is given back.
                        Poll::Ready(Ok(())) if self.call.is_over() => {
                            *again = again.clone();
                            return self.too_late();
                        }
                        Poll::Ready(Ok(())) => {
                            *spare.last = None;
                            spare.timer.set(None);
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
                            ready!(self.poll_timer(self.call.last_timer(), cx));
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
            let delay = match self.call.judge(&result) {
                Some(failure) => self.call.follows(&failure),
                None => {
                    self.call.succeeded();
                    None
                }
            };
            let Some(delay) = delay else {
                self.end(&mut result);
                return Poll::Ready(result);
            };
            self.pause(result, delay);
        }
    }

    /// The timer of the present attempt has gone off. `None`: the call goes on, or the attempt does,
    /// with more time.
    fn time_out(&mut self) -> Option<Poll<Result<S::Response, BoxError>>> {
        self.clear_timer();
        let error = self.call.time_out()?;
        // Whoever keeps a record of it knows nothing of this timer.
        expire(|| self.state.set(State::Done));
        let mut result = Err(error.into());
        let Some(delay) = self.call.follows(&Failure::timed_out()) else {
            self.end(&mut result);
            return Some(Poll::Ready(result));
        };
        self.pause(result, delay);
        None
    }

    /// Another attempt follows this result after so long.
    fn pause(&mut self, result: Result<S::Response, BoxError>, delay: Duration) {
        let mut spare = spare(self.spare);
        *spare.last = Some(result);
        if delay.is_zero() {
            spare.timer.set(None);
            self.state.set(State::Readying);
        } else {
            let until = Deadline::after_from(delay, clock::now());
            spare.timer.set(Some(sleep_until(until.instant())));
            self.state.set(State::Waiting);
        }
    }

    /// No attempt follows this result.
    #[inline]
    pub(super) fn end(&mut self, result: &mut Result<S::Response, BoxError>) {
        // Whatever the last attempt still holds goes now, even if the caller keeps the future.
        self.state.set(State::Done);
        self.clear_timer();
        self.call.finish(result);
    }

    /// The attempt that was to follow is not made.
    fn too_late(&mut self) -> Poll<Result<S::Response, BoxError>> {
        self.state.set(State::Done);
        self.clear_timer();
        // Nothing is left only when it is polled after its end.
        let spare = self.spare.as_mut().map(|spare| spare.as_mut().project());
        let last = spare.and_then(|spare| spare.last.take());
        let Some(mut result) = last else {
            return Poll::Pending;
        };
        self.call.too_late();
        self.call.finish(&mut result);
        Poll::Ready(result)
    }

    /// Waits for the timer, which is set `at` this time unless it is set already.
    fn poll_timer(&mut self, at: Option<Deadline>, cx: &mut Context<'_>) -> Poll<()> {
        let mut timer = match (&mut *self.spare, at) {
            (None, None) => return Poll::Pending,
            (present, _) => spare(present).timer,
        };
        if timer.is_none() {
            timer.set(at.map(|at| sleep_until(at.instant())));
        }
        match timer.as_pin_mut() {
            Some(timer) => timer.poll(cx),
            None => Poll::Pending,
        }
    }

    #[inline]
    fn clear_timer(&mut self) {
        if let Some(spare) = &mut self.spare {
            spare.as_mut().project().timer.set(None);
        }
    }
}

fn spare<S, Rsp>(spare: &mut Option<Pin<Box<Spare<S, Rsp>>>>) -> SpareProj<'_, S, Rsp> {
    let spare = spare.get_or_insert_with(|| Box::pin(Spare::empty()));
    spare.as_mut().project()
}
