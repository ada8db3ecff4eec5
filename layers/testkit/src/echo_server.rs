//! A gRPC echo server on real sockets that fails when it is told to.

mod behaviour;
mod body;
mod connection;
mod link;
mod routes;
mod setup;
mod shared;

pub use self::{behaviour::Behaviour, routes::EchoRoutes, setup::Setup, shared::Counts};

use self::{connection::Server, link::Socket};
use crate::{PlainClient, lock, tasks::Owner};
use http::HeaderMap;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::TcpListener,
};
use tower_layer::Identity;

/// A gRPC echo server whose sockets, answers and end are in the hands of the test.
///
/// A clone is the same server. It ends, as by [`kill`](Self::kill), with the last clone.
#[derive(Clone, Debug)]
pub struct EchoServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    address: Mutex<SocketAddr>,
    server: Server,
    listening: Owner,
    connections: Owner,
}

// === impl EchoServer ===

impl EchoServer {
    /// Serves on a free port of 127.0.0.1, healthy, with hyper's settings.
    ///
    /// # Panics
    /// When the machine gives no loopback port.
    pub async fn start() -> Self {
        Self::setup().start().await
    }

    /// Serves no port, only what [`connect_in_memory`](Self::connect_in_memory) and [`adopt`](Self::adopt) hand it: for a paused clock, which runs away while real sockets are waited for.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::setup().in_memory()
    }

    /// What can be chosen before the server starts.
    #[must_use]
    pub fn setup() -> Setup<Identity> {
        Setup::new()
    }

    fn new(server: Server) -> Self {
        Self(Arc::new(Inner {
            address: Mutex::new((Ipv4Addr::LOCALHOST, 0).into()),
            server,
            listening: Owner::default(),
            connections: Owner::default(),
        }))
    }

    /// Where it listens, or listened; port 0 when it never did.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        *lock(&self.0.address)
    }

    /// What it calls itself in every reply.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.server.shared.name()
    }

    /// Treats every call that arrives from now on so.
    pub fn behave(&self, behaviour: Behaviour) {
        self.0.server.shared.behave(behaviour);
    }

    /// Treats the next `calls` calls so, then goes on as before; several of these queue up.
    pub fn behave_next(&self, calls: usize, behaviour: Behaviour) {
        self.0.server.shared.behave_next(calls, behaviour);
    }

    /// Waits so long before it does anything about a call, whatever its behaviour.
    pub fn latency(&self, latency: Duration) {
        self.0.server.shared.set_latency(latency);
    }

    /// What it counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.server.shared.counts()
    }

    /// Returns when `reached` says so of the counts, asked after each change: `server.until(|counts| counts.arrived == 2)`.
    pub async fn until(&self, mut reached: impl FnMut(Counts) -> bool) {
        let shared = &self.0.server.shared;
        shared.calls().until(|_| reached(shared.counts())).await;
    }

    /// The headers of the last call that arrived.
    #[must_use]
    pub fn last_headers(&self) -> Option<HeaderMap> {
        self.0.server.shared.last_headers()
    }

    /// Starts to keep the headers of every call that arrives, or stops and forgets them.
    pub fn record(&self, on: bool) {
        self.0.server.shared.record(on);
    }

    /// The headers of every call since [`record`](Self::record), in order of arrival.
    #[must_use]
    pub fn recorded(&self) -> Vec<HeaderMap> {
        self.0.server.shared.recorded()
    }

    /// Sends GOAWAY on every connection, which finishes its calls and closes; new connections are welcome.
    pub fn go_away(&self) {
        self.0.server.drain();
    }

    /// Stops listening and cuts every socket at once: clients see a reset. Returns when all of it is gone.
    pub async fn kill(&self) {
        self.0.server.abrupt(true);
        self.0.listening.tasks().abort().await;
        self.0.connections.tasks().abort().await;
        self.0.server.abrupt(false);
    }

    /// Stops listening, sends GOAWAY and returns when every call is finished and every connection closed. Dropping this future kills what is left.
    pub async fn shutdown_gracefully(&self) {
        self.0.listening.tasks().abort().await;
        self.0.server.drain();
        self.0.connections.tasks().join().await;
    }

    /// Listens again where it listened before, after [`kill`](Self::kill) or [`shutdown_gracefully`](Self::shutdown_gracefully); behaviour and counters stay.
    ///
    /// # Panics
    /// When the port is not to be had within 5 s, or the server still listens.
    pub async fn restart(&self) {
        let address = self.address();
        for _ in 0..50 {
            // Whoever dialled the port while nobody listened may hold it for a moment.
            match self.listen(address).await {
                Ok(()) => return,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        panic!("{address} cannot be bound again");
    }

    /// Opens an HTTP/2 connection to it and wraps it for a generated client.
    ///
    /// # Panics
    /// When the server cannot be reached.
    pub async fn connect(&self) -> PlainClient {
        PlainClient::connect(self.address())
            .await
            .expect("a server of this process accepts")
    }

    /// [`connect`](Self::connect) without a socket.
    ///
    /// # Panics
    /// When the HTTP/2 handshake fails.
    pub async fn connect_in_memory(&self) -> PlainClient {
        PlainClient::over(self.dial_in_memory())
            .await
            .expect("nothing stands between both ends")
    }

    /// The client's end of a new connection without a socket.
    #[must_use]
    pub fn dial_in_memory(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        self.adopt(ours);
        theirs
    }

    /// Serves a connection that someone else accepted.
    pub fn adopt<I>(&self, io: I)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let inner = &self.0;
        let link = inner.server.link();
        inner.server.serve(io, link, inner.connections.tasks());
    }

    async fn listen(&self, address: SocketAddr) -> io::Result<()> {
        let listener = TcpListener::bind(address).await?;
        *lock(&self.0.address) = listener.local_addr()?;
        let server = self.0.server.clone();
        let connections = self.0.connections.tasks().clone();
        self.0.listening.tasks().spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let link = server.link();
                        let socket = Socket::new(stream, Arc::clone(&link));
                        server.serve(socket, link, &connections);
                    }
                    // Out of file descriptors, most likely: some will be freed.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        });
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.server.abrupt(true);
    }
}
