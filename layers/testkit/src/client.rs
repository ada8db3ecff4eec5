//! The plainest client that a generated one can stand on: one HTTP/2 connection and nothing else.

use crate::{
    BoxError, BoxFuture,
    tasks::{Owner, Tasks},
};
use http::{Request, Response, Uri, uri::PathAndQuery};
use http_body_util::BodyExt;
use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;
use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tonic::body::Body;
use tower_service::Service;

/// One HTTP/2 connection as a service for generated clients. It never reconnects; its tasks end with the last clone and the last answer.
#[derive(Clone, Debug)]
pub struct PlainClient {
    sender: http2::SendRequest<Body>,
    authority: Arc<str>,
    tasks: Arc<Owner>,
}

// === impl PlainClient ===

impl PlainClient {
    /// Connects to `address`.
    ///
    /// # Errors
    /// When the connection is refused, or the handshake fails.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Self::handshake(stream, &address.to_string()).await
    }

    /// Speaks HTTP/2 over `io`.
    ///
    /// # Errors
    /// When the handshake fails.
    pub async fn over<I>(io: I) -> io::Result<Self>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Self::handshake(io, "in-memory").await
    }

    /// Whether the connection is known to take no more calls.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    async fn handshake<I>(io: I, authority: &str) -> io::Result<Self>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let owner = Owner::default();
        let tasks: Tasks = owner.tasks().clone();
        let (sender, connection) = http2::Builder::new(tasks)
            .handshake(TokioIo::new(io))
            .await
            .map_err(io::Error::other)?;
        owner.tasks().spawn(async move {
            // Its calls say how it ended.
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            authority: authority.into(),
            tasks: Arc::new(owner),
        })
    }

    /// Generated clients ask for a path alone; HTTP/2 wants a whole address.
    fn absolute(&self, uri: &Uri) -> Result<Uri, http::Error> {
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        Uri::builder()
            .scheme("http")
            .authority(&*self.authority)
            .path_and_query(path)
            .build()
    }
}

impl Service<Request<Body>> for PlainClient {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.sender.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let sent = self.absolute(request.uri()).map(|uri| {
            *request.uri_mut() = uri;
            self.sender.send_request(request)
        });
        // A caller may drop the client and still read: the connection stays until its last body is gone.
        let tasks = Arc::clone(&self.tasks);
        Box::pin(async move {
            let response = sent?.await?;
            Ok(response.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _kept = &tasks;
                    frame
                }))
            }))
        })
    }
}
