//! A call on its way.

use crate::{
    Exceeded, Phase, local,
    mode::{Cover, Timer},
};
use pin_project_lite::pin_project;
use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};
use ziggurat_core::{BoxError, Code, Rejection, error};

pin_project! {
    /// The response of a [`WithDeadline`](crate::WithDeadline).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, M> {
        #[pin]
        state: State<F>,
        timer: Option<Timer>,
        mode: PhantomData<fn() -> M>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        NotSent,
        Sent { #[pin] future: F },
        Ended,
    }
}

/// Ends the call inside when it is dropped.
struct Ended<'s, F>(Pin<&'s mut State<F>>);

// === impl ResponseFuture ===

impl<F, M> ResponseFuture<F, M> {
    #[inline]
    pub(crate) const fn sent(future: F, timer: Option<Timer>) -> Self {
        Self {
            state: State::Sent { future },
            timer,
            mode: PhantomData,
        }
    }

    pub(crate) const fn not_sent() -> Self {
        Self {
            state: State::NotSent,
            timer: None,
            mode: PhantomData,
        }
    }
}

impl<F, M, Rsp, E> ResponseFuture<F, M>
where
    F: Future<Output = Result<Rsp, E>>,
    E: Into<BoxError>,
    M: Cover<Rsp>,
{
    #[inline(always)]
    fn go_on(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<M::Response, BoxError>> {
        let mut this = self.project();
        let error = match this.state.as_mut().project() {
            StateProj::Sent { future } => match future.poll(cx) {
                Poll::Ready(Ok(response)) => {
                    // Put together where it goes; the call inside ends when that is done.
                    let _ended = Ended(this.state);
                    return Poll::Ready(Ok(M::cover(response, this.timer)));
                }
                Poll::Ready(Err(error)) => late(failed(error), this.timer.as_ref()),
                Poll::Pending => {
                    let Some(timer) = this.timer else {
                        return Poll::Pending;
                    };
                    let now = ready!(timer.poll_over(cx));
                    let error = timer.end(Phase::Response, now, || this.state.set(State::Ended));
                    return Poll::Ready(Err(failed(error)));
                }
            },
            StateProj::NotSent => failed(Exceeded::before_sending()),
            StateProj::Ended => panic!("`ResponseFuture` polled after completion"),
        };
        // Whoever keeps this future keeps nothing of the call: it ends now, late enough for all
        // inside to see that its time was up.
        this.state.set(State::Ended);
        Poll::Ready(Err(error))
    }
}

impl<F, M, Rsp, E> Future for ResponseFuture<F, M>
where
    F: Future<Output = Result<Rsp, E>>,
    E: Into<BoxError>,
    M: Cover<Rsp>,
{
    type Output = Result<M::Response, BoxError>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let _current = local::enter(self.timer.as_ref().and_then(Timer::scope));
        self.go_on(cx)
    }
}

impl<F, M> fmt::Debug for ResponseFuture<F, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("timer", &self.timer)
            .finish_non_exhaustive()
    }
}

// === impl Ended ===

impl<F> Drop for Ended<'_, F> {
    fn drop(&mut self) {
        self.0.set(State::Ended);
    }
}

/// The timer of a transport, which we told of our deadline, may have seen it pass in the same tick (tonic's
/// channel does, and makes CANCELLED of it): it is our deadline all the same.
#[cold]
#[inline(never)]
fn late(error: BoxError, timer: Option<&Timer>) -> BoxError {
    let is_timer = error::find::<Rejection>(&*error).is_none()
        && error::code(&*error) == Some(Code::DeadlineExceeded);
    match timer.and_then(|timer| Some((timer, timer.over()?))) {
        Some((timer, now)) if is_timer => timer.end(Phase::Response, now, || drop(error)).into(),
        _ => error,
    }
}

/// Apart from what is built into the place of every call: it seldom happens.
#[cold]
#[inline(never)]
fn failed(error: impl Into<BoxError>) -> BoxError {
    error.into()
}
