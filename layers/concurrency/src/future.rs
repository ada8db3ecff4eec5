//! The answer of a service with a limit, to come.

use crate::{Permit, wait::Wait};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower_service::Service;
use ziggurat_core::{BoxError, Classify, Outcome, Recorder, Rejection, Sent, Unready, error};

pin_project! {
    /// The response of a [`Concurrency`](crate::Concurrency), to come. Dropped, its permit, or its
    /// place in the line, is free.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, Req, C>
    where
        S: Service<Req>,
    {
        #[pin]
        state: State<S, Req, C>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, Req, C>
    where
        S: Service<Req>,
    {
        Rejected { error: Option<BoxError> },
        // Boxed: few calls wait, and all of them move this.
        Waiting { waiting: Option<Box<Waiting<S, Req, C>>> },
        Sent {
            #[pin]
            future: S::Future,
            classifier: C,
            recorder: Option<Recorder<Permit>>,
        },
    }
}

/// A call that has not been sent.
pub(crate) struct Waiting<S, Req, C> {
    pub(crate) service: S,
    pub(crate) request: Req,
    pub(crate) classifier: C,
    pub(crate) wait: Wait,
    pub(crate) recorder: Option<Recorder<Permit>>,
}

// === impl ResponseFuture ===

impl<S: Service<Req>, Req, C> ResponseFuture<S, Req, C> {
    pub(crate) const fn rejected(error: BoxError) -> Self {
        Self {
            state: State::Rejected { error: Some(error) },
        }
    }

    pub(crate) const fn waiting(waiting: Box<Waiting<S, Req, C>>) -> Self {
        Self {
            state: State::Waiting {
                waiting: Some(waiting),
            },
        }
    }

    pub(crate) const fn sent(future: S::Future, classifier: C, recorder: Recorder<Permit>) -> Self {
        Self {
            state: State::Sent {
                future,
                classifier,
                recorder: Some(recorder),
            },
        }
    }
}

impl<S, Req, C> Future for ResponseFuture<S, Req, C>
where
    S: Service<Req>,
    S::Error: Into<BoxError>,
    C: Classify<S::Response>,
{
    type Output = Result<C::Response<Permit>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Sent {
                    future,
                    classifier,
                    recorder,
                } => {
                    let result = ready!(future.poll(cx)).map_err(Into::into);
                    let recorder = recorder
                        .take()
                        .expect("a future is not polled after it is done");
                    return Poll::Ready(answer(result, classifier, recorder));
                }
                StateProj::Rejected { error } => {
                    let error = error
                        .take()
                        .expect("a future is not polled after it is done");
                    return Poll::Ready(Err(error));
                }
                StateProj::Waiting { waiting } => {
                    let present = waiting
                        .as_mut()
                        .expect("a future is not polled after it is done");
                    let recorder = ready!(present.poll(cx))?;
                    let call = waiting.take().expect("it was there just now");
                    state.set(call.send(recorder));
                }
            }
        }
    }
}

impl<S: Service<Req>, Req, C> fmt::Debug for ResponseFuture<S, Req, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

// === impl Waiting ===

impl<S, Req, C> Waiting<S, Req, C>
where
    S: Service<Req>,
    S::Error: Into<BoxError>,
{
    /// First the permit, then the readiness of the service: who waits here keeps nothing there.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Recorder<Permit>, BoxError>> {
        if self.recorder.is_none() {
            self.recorder = Some(ready!(self.wait.poll(cx))?);
        }
        let ready = match self.service.poll_ready(cx) {
            Poll::Ready(Ok(())) => Ok(()),
            Poll::Ready(Err(error)) => Err(Unready::answer(error.into())),
            Poll::Pending => Err(ready!(self.wait.poll_late(cx)).into()),
        };
        let recorder = self
            .recorder
            .take()
            .expect("a call that has a permit keeps it until it is sent");
        Poll::Ready(match ready {
            Ok(()) => Ok(recorder),
            Err(error) => {
                recorder.settle(Outcome::Failure);
                Err(error)
            }
        })
    }

    fn send(mut self, recorder: Recorder<Permit>) -> State<S, Req, C> {
        State::Sent {
            future: self.service.call(self.request),
            classifier: self.classifier,
            recorder: Some(recorder),
        }
    }
}

#[inline]
fn answer<Rsp, C: Classify<Rsp>>(
    result: Result<Rsp, BoxError>,
    classifier: &C,
    recorder: Recorder<Permit>,
) -> Result<C::Response<Permit>, BoxError> {
    match result {
        // Whoever turned it away was not the one whose limit is looked for.
        Err(error) if is_turned_away(&error) => {
            recorder.settle(Outcome::Failure);
            Err(error)
        }
        result => classifier.observe(result, recorder),
    }
}

fn is_turned_away(error: &BoxError) -> bool {
    let rejection = error::find::<Rejection>(&**error);
    rejection.is_some_and(|rejection| rejection.sent() == Sent::Never)
}
