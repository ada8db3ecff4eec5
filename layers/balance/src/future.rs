//! The future of a call: it finds an endpoint, then it is that endpoint's call.

use crate::{
    picking::Picking,
    place::Place,
    policy::{Arrange, Policy},
    record::Measure,
    search::Reached,
    service::Shared,
};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower_service::Service;
use ziggurat_core::{BoxError, Carry, Classify, Deadline, Endpoint, Picked, Rejection, error};

pin_project! {
    /// The answer of a [`Balance`](crate::Balance).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<E, Req, C, P>
    where
        E: Service<Req>,
        P: Arrange,
    {
        #[pin]
        state: State<E, Req, C, P>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<E, Req, C, P>
    where
        E: Service<Req>,
        P: Arrange,
    {
        // Boxed: few calls have to look twice, and all of them move this.
        Picking { picking: Box<Picking<E, Req, C, P>> },
        Calling {
            #[pin]
            inner: E::Future,
            place: Place,
            classify: C,
        },
    }
}

// === impl ResponseFuture ===

impl<E, Req, C, P> ResponseFuture<E, Req, C, P>
where
    E: Service<Req>,
    P: Arrange,
{
    #[cold]
    pub(crate) fn picking(
        shared: Arc<Shared<E, C, P>>,
        request: Req,
        deadline: Option<Deadline>,
    ) -> Self {
        Self {
            state: State::Picking {
                picking: Box::new(Picking::new(shared, request, deadline)),
            },
        }
    }

    #[inline(always)]
    pub(crate) fn calling(
        reached: Reached<E>,
        request: Req,
        deadline: Option<Deadline>,
        classify: C,
    ) -> Self {
        Self {
            state: State::calling(reached, request, deadline, classify),
        }
    }
}

impl<E, Req, C, P> Future for ResponseFuture<E, Req, C, P>
where
    E: Endpoint + Service<Req>,
    E::Error: Into<BoxError>,
    C: Classify<E::Response> + Carry<Req>,
    P: Policy<Req>,
{
    type Output = Result<<C as Classify<E::Response>>::Response<Measure>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Picking { picking } => {
                    let (reached, request) = ready!(picking.poll(cx))?;
                    let (deadline, classify) = (picking.deadline(), picking.classify().clone());
                    state.set(State::calling(reached, request, deadline, classify));
                }
                StateProj::Calling {
                    inner,
                    place,
                    classify,
                } => {
                    // Apart: what is brought together is moved once more, and waited for.
                    return match inner.poll(cx) {
                        Poll::Ready(Ok(response)) => {
                            Poll::Ready(answered(response, place, classify))
                        }
                        Poll::Ready(Err(error)) => {
                            Poll::Ready(failed(error.into(), place, classify))
                        }
                        Poll::Pending => Poll::Pending,
                    };
                }
            }
        }
    }
}

impl<E, Req, C, P> fmt::Debug for ResponseFuture<E, Req, C, P>
where
    E: Service<Req>,
    P: Arrange,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

// === impl State ===

impl<E, Req, C, P> State<E, Req, C, P>
where
    E: Service<Req>,
    P: Arrange,
{
    #[inline(always)]
    fn calling(reached: Reached<E>, request: Req, deadline: Option<Deadline>, classify: C) -> Self {
        let Reached {
            mut endpoint,
            stats,
            brief,
            now,
        } = reached;
        // Before the call, so that it is given back even if the endpoint panics.
        let place = Place::new(Measure::start(stats, brief, now), deadline);
        Self::Calling {
            inner: endpoint.call(request),
            place,
            classify,
        }
    }
}

// By force: an answer is moved through every call that is not inlined.
#[inline(always)]
fn answered<Rsp, C: Classify<Rsp>>(
    mut response: Rsp,
    place: &mut Place,
    classify: &C,
) -> Result<C::Response<Measure>, BoxError> {
    if let Some(measure) = place.measure() {
        if measure.attaches() {
            classify.attach(&mut response, Picked::new(measure.endpoint().clone()));
        }
        if let Some(pushback) = classify.pushback(&response) {
            measure.push_back(pushback);
        }
    }
    match place.take() {
        Some(recorder) => classify.observe_response(response, recorder),
        None => Err(polled_again()),
    }
}

#[cold]
#[inline(never)]
fn failed<Rsp, C: Classify<Rsp>>(
    error: BoxError,
    place: &mut Place,
    classify: &C,
) -> Result<C::Response<Measure>, BoxError> {
    if let Some(measure) = place.measure() {
        let rejection = error::find::<Rejection>(&*error);
        if let Some(retry_after) = rejection.and_then(Rejection::retry_after) {
            measure.push_back(retry_after);
        }
    }
    match place.take() {
        Some(recorder) => classify.observe(Err(error), recorder),
        None => Err(polled_again()),
    }
}

#[cold]
fn polled_again() -> BoxError {
    "the future of a call was polled after its end".into()
}
