//! The transport unless there is another: TCP, and Unix sockets.

use crate::{
    dial::dial,
    road::{Io, Opening},
    settings::Settings,
};
use std::task::{Context, Poll};
use tower_service::Service;
use ziggurat_core::{BoxError, Instance};

/// Opens a socket to an instance: a Unix one where it has a [path](Instance::unix_path), TCP
/// otherwise.
///
/// It is what a [`Connector`](crate::Connector) uses unless it is given another
/// [transport](crate::Connector::transport); public to stand inside of one, which may first choose a
/// way, or count what passes.
#[derive(Clone, Debug, Default)]
pub struct Sockets {
    settings: Settings,
}

// === impl Sockets ===

impl Sockets {
    /// Of the settings it uses `connect_timeout`, which it shares among the addresses of a name,
    /// `tcp_timeout` and `nodelay`.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Service<Instance> for Sockets {
    type Response = Box<dyn Io>;
    type Error = BoxError;
    type Future = Opening;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, instance: Instance) -> Opening {
        let settings = self.settings;
        Box::pin(async move { open(&instance, &settings).await })
    }
}

async fn open(instance: &Instance, settings: &Settings) -> Result<Box<dyn Io>, BoxError> {
    if let Some(path) = instance.unix_path() {
        return local(path).await;
    }
    let (host, port) = (instance.address(), instance.port());
    Ok(Box::new(dial(host, port, settings).await?))
}

#[cfg(unix)]
async fn local(path: &str) -> Result<Box<dyn Io>, BoxError> {
    Ok(Box::new(tokio::net::UnixStream::connect(path).await?))
}

#[cfg(not(unix))]
async fn local(_: &str) -> Result<Box<dyn Io>, BoxError> {
    Err(crate::error::NotConnected("this system has no Unix sockets").into())
}
