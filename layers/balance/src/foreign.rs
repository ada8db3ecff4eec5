//! Any discovery of any services, for a balancer of endpoints.

use futures_core::{Stream, TryStream};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll, ready},
};
use tower::discover::Change;
use tower_service::Service;
use ziggurat_core::{Availability, Endpoint, EndpointId, Named};

pin_project! {
    /// Makes endpoints of the services of any [`Discover`](tower::discover::Discover).
    ///
    /// Its keys become the endpoints' names as they print. Nothing tells whether such a service may
    /// be picked but its own `poll_ready`, so all of them may; those that fail are avoided for their
    /// failures, and those that are busy are passed over.
    #[derive(Clone, Debug)]
    pub struct Foreign<D> {
        #[pin]
        discover: D,
        service: Box<str>,
    }
}

/// A service that knows nothing of endpoints, as one.
#[derive(Clone, Debug)]
pub struct ForeignEndpoint<S> {
    // One count of references a clone, not two. None for a call.
    about: Option<Arc<About>>,
    inner: S,
}

#[derive(Debug)]
struct About {
    id: EndpointId,
    availability: Availability,
}

/// What one that was lent for a call seems to be: nobody asks it.
static LENT: LazyLock<About> = LazyLock::new(|| About::new(EndpointId::new("lent")));

// === impl Foreign ===

impl<D> Foreign<D> {
    /// The endpoints of `service`, as `discover` finds them.
    pub fn new(service: impl Into<Box<str>>, discover: D) -> Self {
        Self {
            discover,
            service: service.into(),
        }
    }
}

impl<D> Named for Foreign<D> {
    fn service(&self) -> &str {
        &self.service
    }
}

impl<D, K, S> Stream for Foreign<D>
where
    D: TryStream<Ok = Change<K, S>>,
    K: fmt::Display,
{
    type Item = Result<Change<EndpointId, ForeignEndpoint<S>>, D::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let change = ready!(self.project().discover.try_poll_next(cx));
        Poll::Ready(change.map(|change| change.map(translate)))
    }
}

// === impl ForeignEndpoint ===

impl<S> ForeignEndpoint<S> {
    /// The endpoint `id` that `inner` is; may be picked until somebody reports otherwise.
    pub fn new(id: EndpointId, inner: S) -> Self {
        Self {
            about: Some(Arc::new(About::new(id))),
            inner,
        }
    }

    fn about(&self) -> &About {
        self.about.as_deref().unwrap_or_else(|| &*LENT)
    }
}

impl<S: Clone + Send + Sync + 'static> Endpoint for ForeignEndpoint<S> {
    fn id(&self) -> &EndpointId {
        &self.about().id
    }

    fn availability(&self) -> &Availability {
        &self.about().availability
    }

    #[inline]
    fn lend(&self) -> Self {
        Self {
            about: None,
            inner: self.inner.clone(),
        }
    }
}

impl<S: Service<Req>, Req> Service<Req> for ForeignEndpoint<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> S::Future {
        self.inner.call(request)
    }
}

// === impl About ===

impl About {
    fn new(id: EndpointId) -> Self {
        Self {
            id,
            availability: Availability::new(),
        }
    }
}

fn translate<K: fmt::Display, S>(change: Change<K, S>) -> Change<EndpointId, ForeignEndpoint<S>> {
    match change {
        Change::Insert(key, service) => {
            let id = EndpointId::new(key.to_string());
            Change::Insert(id.clone(), ForeignEndpoint::new(id, service))
        }
        Change::Remove(key) => Change::Remove(EndpointId::new(key.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lent_for_a_call_is_the_service_alone() {
        let own = ForeignEndpoint::new(EndpointId::new("a"), Arc::new(7));
        let lent = own.lend();
        assert!(Arc::ptr_eq(&own.inner, &lent.inner));
        let counted = own.about.as_ref().map(Arc::strong_count);
        assert_eq!((counted, own.clone().id()), (Some(1), own.id()));
    }
}
