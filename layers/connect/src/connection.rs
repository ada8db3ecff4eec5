//! A handle of an endpoint.

use crate::{body::Body, future::ResponseFuture, head, life::Life, shared::Shared};
use http::{Request, Response};
use std::{
    fmt,
    marker::PhantomData,
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;
use ziggurat_core::{Availability, BoxError, Endpoint, EndpointId};

/// An endpoint that is kept connected; clones are handles of the same one.
///
/// It is always ready: what there is to wait for, a connection or a free stream, is waited for in
/// the future of the call.
pub struct Connection<B> {
    shared: Arc<Shared>,
    life: Arc<Life>,
    body: PhantomData<fn(B)>,
}

// === impl Connection ===

impl<B> Connection<B> {
    pub(crate) const fn new(shared: Arc<Shared>, life: Arc<Life>) -> Self {
        let body = PhantomData;
        Self { shared, life, body }
    }
}

impl<B> Clone for Connection<B> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            life: Arc::clone(&self.life),
            body: PhantomData,
        }
    }
}

impl<B> Endpoint for Connection<B>
where
    B: Send + 'static,
{
    fn id(&self) -> &EndpointId {
        &self.shared.id
    }

    fn availability(&self) -> &Availability {
        &self.shared.availability
    }

    fn weight(&self) -> u32 {
        self.shared.weight
    }
}

impl<B> Service<Request<B>> for Connection<B>
where
    B: http_body::Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> ResponseFuture {
        self.shared.target.address(&mut request);
        head::measure(&mut request);
        ResponseFuture::new(Arc::clone(&self.shared), Arc::clone(&self.life), request)
    }
}

impl<B> fmt::Debug for Connection<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared {
            id, availability, ..
        } = &*self.shared;
        f.debug_struct("Connection")
            .field("id", id)
            .field("availability", availability)
            .finish()
    }
}
