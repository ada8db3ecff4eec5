//! What is chosen before a server starts.

use super::{
    EchoRoutes, EchoServer,
    connection::{Answer, Limits, Server},
    shared::Shared,
};
use crate::{BoxError, BoxFuture, lock};
use bytes::Bytes;
use http::{Request, Response};
use std::{
    future::poll_fn,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tonic::body::Body;
use tower_layer::{Identity, Layer};
use tower_service::Service;

/// What an [`EchoServer`] is before it starts.
///
/// # Defaults
/// The name `echo`, 200 streams a connection (hyper's own), connections of any age, no layer.
#[derive(Clone, Debug)]
pub struct Setup<L> {
    name: Arc<str>,
    limits: Limits,
    layer: L,
}

// === impl Setup ===

impl Setup<Identity> {
    pub(super) fn new() -> Self {
        Self {
            name: "echo".into(),
            limits: Limits::default(),
            layer: Identity::new(),
        }
    }
}

impl<L> Setup<L> {
    /// What the server calls itself in every reply.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// Tells clients that a connection takes so many calls at once.
    #[must_use]
    pub const fn max_concurrent_streams(mut self, streams: u32) -> Self {
        self.limits.max_concurrent_streams = Some(streams);
        self
    }

    /// Sends GOAWAY to a connection of this age, which finishes its calls and closes.
    #[must_use]
    pub const fn max_connection_age(mut self, age: Duration) -> Self {
        self.limits.max_age = Some(age);
        self
    }

    /// Puts `layer` around the echo service, once for the whole server.
    #[must_use]
    pub fn layer<M>(self, layer: M) -> Setup<M> {
        Setup {
            name: self.name,
            limits: self.limits,
            layer,
        }
    }

    /// Serves on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When the machine gives no loopback port.
    pub async fn start<B>(self) -> EchoServer
    where
        L: Layer<EchoRoutes>,
        L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
        <L::Service as Service<Request<Body>>>::Future: Send,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let server = self.in_memory();
        server
            .listen((Ipv4Addr::LOCALHOST, 0).into())
            .await
            .expect("a test machine has a free loopback port");
        server
    }

    /// Serves no port: see [`EchoServer::in_memory`].
    pub fn in_memory<B>(self) -> EchoServer
    where
        L: Layer<EchoRoutes>,
        L::Service: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        <L::Service as Service<Request<Body>>>::Error: Into<BoxError>,
        <L::Service as Service<Request<Body>>>::Future: Send,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let shared = Arc::new(Shared::new(Arc::clone(&self.name)));
        let routes = EchoRoutes::new(self.name, Arc::clone(&shared));
        let answer = erase(self.layer.layer(routes));
        EchoServer::new(Server::new(shared, answer, self.limits))
    }
}

/// A clone for each call, made ready before it is called, as hyper's own adapters do.
fn erase<S, B>(service: S) -> Answer
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    // The lock asks less of the user's layer than `Sync` would.
    let service = Mutex::new(service);
    Arc::new(
        move |request| -> BoxFuture<Result<Response<Body>, BoxError>> {
            let mut service = lock(&service).clone();
            Box::pin(async move {
                poll_fn(|cx| service.poll_ready(cx))
                    .await
                    .map_err(Into::into)?;
                let response = service.call(request).await.map_err(Into::into)?;
                Ok(response.map(Body::new))
            })
        },
    )
}
