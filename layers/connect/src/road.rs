//! How bytes get to an instance: a transport, and TLS above it where it is wanted.

use crate::sockets::Sockets;
use std::{future::poll_fn, pin::Pin, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;
use ziggurat_core::{BoxError, Instance};

/// Bytes both ways: what a transport makes, and HTTP/2 runs over.
///
/// Everything is one that can be read and written by a task: a socket, a
/// [`tokio::io::DuplexStream`], a TLS stream around either.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

/// Erased once a connection: next to a system call, a virtual one costs nothing.
pub(crate) type Stream = Box<dyn Io>;

pub(crate) type Opening = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

/// Leads to any instance.
pub(crate) type Transport = Arc<dyn Fn(Instance) -> Opening + Send + Sync>;

/// Makes a stream safe; what it must prove is settled.
pub(crate) type Secure = Box<dyn Fn(Stream) -> Opening + Send + Sync>;

/// Settles what the streams to the service of this name must prove.
pub(crate) type Security = Arc<dyn Fn(&str) -> Result<Secure, BoxError> + Send + Sync>;

/// Leads to one instance.
pub(crate) struct Road {
    pub(crate) instance: Instance,
    pub(crate) transport: Transport,
    pub(crate) secure: Option<Secure>,
}

impl<T> Io for T where T: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

// === impl Road ===

impl Road {
    pub(crate) async fn open(&self) -> Result<Stream, BoxError> {
        let stream = (self.transport)(self.instance.clone()).await?;
        match &self.secure {
            Some(secure) => secure(stream).await,
            None => Ok(stream),
        }
    }
}

/// Not erased twice: they are what most connections run over.
pub(crate) fn sockets(sockets: Sockets) -> Transport {
    Arc::new(move |instance| sockets.clone().call(instance))
}

pub(crate) fn transport<T>(service: T) -> Transport
where
    T: Service<Instance> + Clone + Send + Sync + 'static,
    T::Response: Io,
    T::Error: Into<BoxError>,
    T::Future: Send,
{
    Arc::new(move |instance| {
        let mut service = service.clone();
        Box::pin(async move {
            let ready = poll_fn(|cx| service.poll_ready(cx)).await;
            ready.map_err(Into::into)?;
            let stream = service.call(instance).await.map_err(Into::into)?;
            Ok(Box::new(stream) as Stream)
        })
    })
}
