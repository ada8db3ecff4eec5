//! A call on its way.

use crate::{Body, abort::Caller, active::Active, pace::Flow, plan::Plan};
use http::Response;
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::time::{Sleep, sleep};
use tower_service::Service;
use ziggurat_core::BoxError;

pin_project! {
    /// The response of a [`Faulty`](crate::Faulty).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, Req>
    where
        S: Service<Req>,
    {
        #[pin]
        state: State<S, S::Future, Req>,
        plan: Plan,
        active: Option<Active>,
    }
}

pin_project! {
    #[project = StateProj]
    #[project_replace = StateOwn]
    enum State<S, F, Req> {
        Planned { call: Box<Call<S, Req>> },
        Sent { #[pin] future: F },
        Ended,
    }
}

/// A call that was not sent yet.
struct Call<S, Req> {
    caller: Caller,
    polled: S,
    request: Req,
    /// Made when it is first waited for: only then is there a runtime for sure.
    delay: Option<Pin<Box<Sleep>>>,
}

// === impl ResponseFuture ===

impl<S: Service<Req>, Req> ResponseFuture<S, Req> {
    pub(crate) fn plain(future: S::Future) -> Self {
        Self {
            state: State::Sent { future },
            plan: Plan::default(),
            active: None,
        }
    }

    pub(crate) fn planned(
        plan: Plan,
        active: Active,
        caller: Caller,
        polled: S,
        request: Req,
    ) -> Self {
        let call = Box::new(Call {
            caller,
            polled,
            request,
            delay: None,
        });
        Self {
            state: State::Planned { call },
            plan,
            active: Some(active),
        }
    }
}

impl<S, Req, B> Future for ResponseFuture<S, Req>
where
    S: Service<Req, Response = Response<B>>,
    S::Error: Into<BoxError>,
{
    type Output = Result<Response<Body<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Planned { call } => {
                    ready!(call.poll_delay(this.plan, cx));
                    let StateOwn::Planned { call } =
                        this.state.as_mut().project_replace(State::Ended)
                    else {
                        continue;
                    };
                    if let Some(abort) = this.plan.abort {
                        *this.active = None;
                        return Poll::Ready(abort.end(&call.caller));
                    }
                    let Call {
                        mut polled,
                        request,
                        ..
                    } = *call;
                    let future = polled.call(request);
                    this.state.set(State::Sent { future });
                }
                StateProj::Sent { future } => {
                    let result = ready!(future.poll(cx)).map_err(Into::into);
                    this.state.set(State::Ended);
                    let flow = Flow::of(this.plan, this.active.take());
                    return Poll::Ready(
                        result.map(|response| {
                            response.map(|body| Body::new(body, flow.map(Box::new)))
                        }),
                    );
                }
                StateProj::Ended => panic!("`ResponseFuture` polled after completion"),
            }
        }
    }
}

impl<S: Service<Req>, Req> fmt::Debug for ResponseFuture<S, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

// === impl Call ===

impl<S, Req> Call<S, Req> {
    fn poll_delay(&mut self, plan: &Plan, cx: &mut Context<'_>) -> Poll<()> {
        let Some(time) = plan.delay else {
            return Poll::Ready(());
        };
        let delay = self.delay.get_or_insert_with(|| Box::pin(sleep(time)));
        delay.as_mut().poll(cx)
    }
}
