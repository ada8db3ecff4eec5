//! The balanced service.

use crate::{
    Arrange, EndpointView, Measure, NoEndpoints, P2c, Policy, ResponseFuture, driver::Driver,
    hub::Hub, policy::Candidate, search::Search, wait::Wait,
};
use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tower_service::Service;
use ziggurat_core::{BoxError, Carry, Classify, Code, Deadline, Endpoint, Grpc, State, clock};

/// A service that sends every call to one of many endpoints.
///
/// Clones share the endpoints and what is known of them. See the [crate docs](crate) for the rules.
///
/// The task that follows discovery runs where the first call came from. When that runtime is shut
/// down, the next call in another one follows the same stream there. When the stream, or an
/// [`Observer`](crate::Observer) that it calls, panics, it is lost: calls go on to the endpoints known
/// last, for good, and [`discovery_errors`](Self::discovery_errors), the log and the observer tell. A
/// policy that panics over a set of endpoints is told of in the same way; the set before it stands until
/// the next change.
pub struct Balance<E, C = Grpc, P: Arrange = P2c> {
    shared: Arc<Shared<E, C, P>>,
}

/// What the clones of one balancer share. The driver ends with the last of them, and of their calls.
// Not on the line of cache that counts the clones: whoever makes one takes that line from the others.
#[repr(align(64))]
pub(crate) struct Shared<E, C, P: Arrange> {
    pub(crate) hub: Arc<Hub<E, P>>,
    pub(crate) driver: Driver,
    pub(crate) classify: C,
}

// === impl Balance ===

impl<E, C, P: Arrange> Balance<E, C, P> {
    pub(crate) fn new(hub: Arc<Hub<E, P>>, driver: Driver, classify: C) -> Self {
        Self {
            shared: Arc::new(Shared {
                hub,
                driver,
                classify,
            }),
        }
    }

    /// The name of the service.
    #[must_use]
    pub fn service(&self) -> &str {
        self.shared.hub.facts().service()
    }

    /// How often discovery has failed so far.
    #[must_use]
    pub fn discovery_errors(&self) -> u64 {
        self.shared.hub.facts().troubles()
    }

    /// Are ejections disregarded, because too few endpoints may be picked? See
    /// [`panic_threshold_percent`](crate::Settings::panic_threshold_percent).
    #[must_use]
    pub fn is_panicking(&self) -> bool {
        self.shared.hub.panic().is_on()
    }

    /// The endpoints as they are now, ordered by name. Walks over all of them.
    #[must_use]
    pub fn endpoints(&self) -> Vec<EndpointView> {
        let facts = self.shared.hub.facts();
        let (weighing, now) = (facts.weighing(), facts.now());
        let set = self.shared.hub.set();
        let view = |candidate| EndpointView::new(candidate, &weighing, now);
        let mut views: Vec<_> = set.candidates().iter().map(view).collect();
        views.sort_by(|a, b| a.id().cmp(b.id()));
        views
    }

    /// Waits until an endpoint is ready, and starts to follow discovery if no call has yet.
    ///
    /// # Errors
    ///
    /// [`NoEndpoints`] if none is ready after `timeout`, or outside of a tokio runtime.
    pub async fn wait_until_ready(&self, timeout: Duration) -> Result<(), NoEndpoints> {
        let hub = &self.shared.hub;
        let until = Deadline::after(timeout).instant();
        let give_up = || {
            let service = hub.facts().service();
            NoEndpoints::among(&hub.set(), service, Code::Unavailable)
        };
        if !self.shared.driver.start() {
            return Err(give_up());
        }
        let mut wait = pin!(Wait::new(hub.changed(), clock::now()));
        poll_fn(|cx| {
            // First the bell, then the look: a change after the look rings.
            wait.as_mut().poll_changed(cx);
            let set = hub.set();
            let mut states = set.candidates().iter().map(Candidate::state);
            if states.any(|state| state == State::Ready) {
                return Poll::Ready(Ok(()));
            }
            let late = wait.as_mut().poll_until(Some(until), cx);
            late.map(|()| Err(give_up()))
        })
        .await
    }
}

impl<E, Req, C, P> Service<Req> for Balance<E, C, P>
where
    E: Endpoint + Service<Req>,
    E::Error: Into<BoxError>,
    C: Classify<E::Response> + Carry<Req>,
    P: Policy<Req>,
{
    type Response = <C as Classify<E::Response>>::Response<Measure>;
    type Error = BoxError;
    type Future = ResponseFuture<E, Req, C, P>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let shared = &*self.shared;
        let deadline = shared.classify.deadline(&request);
        // Most calls find an endpoint that is ready at once, and need no share of ours: an atomic that
        // all threads would write.
        if shared.driver.is_started()
            && let Some(reached) = Search::at_once(shared, &request)
        {
            let classify = shared.classify.clone();
            return ResponseFuture::calling(reached, request, deadline, classify);
        }
        ResponseFuture::picking(Arc::clone(&self.shared), request, deadline)
    }
}

impl<E, C, P: Arrange> Clone for Balance<E, C, P> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<E, C, P: Arrange> fmt::Debug for Balance<E, C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Balance")
            .field("hub", &self.shared.hub)
            .field("driver", &self.shared.driver)
            .finish_non_exhaustive()
    }
}
