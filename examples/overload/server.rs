//! The server, on a thread of its own: as tonic makes it, or behind the stack.

use super::{cli::Problem, handler::Handler, workers::Workers};
use http::Extensions;
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    thread::{self, JoinHandle},
};
use tokio::{runtime, sync::oneshot};
use ziggurat::{
    concurrency::{ConcurrencyLayer, Settings, Vegas},
    server::ServerLayer,
    trust::{self, Peer, TrustLayer},
};
use ziggurat_testkit::{
    proto::echo_server::EchoServer,
    tonic::transport::{
        self,
        server::{TcpConnectInfo, TcpIncoming},
    },
};

/// A server, until it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), Problem>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As tonic makes it: it keeps the deadlines of its callers, and accepts every call.
    Bare,
    /// The same behind the layers of a server.
    Stack,
}

// === impl Server ===

impl Server {
    pub(crate) fn start(kind: Kind, workers: Workers) -> Result<Self, Problem> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                tokio::select! {
                    ended = serve(kind, workers.clone(), listener) => ended?,
                    // Told, or nobody is left to tell.
                    _ = stopped => workers.stop(),
                }
                Ok(())
            })
        });
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts it off, and says whether it served until now.
    pub(crate) fn stop(mut self) -> Result<(), Problem> {
        self.stop = None;
        let ended = self.thread.take().map(JoinHandle::join);
        let panicked = |_| Problem::Failed("the server panicked".to_owned());
        ended.unwrap_or(Ok(Ok(()))).map_err(panicked)?
    }
}

async fn serve(kind: Kind, workers: Workers, listener: TcpListener) -> Result<(), Problem> {
    let service = EchoServer::new(Handler::new(workers));
    let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener)?);
    let mut server = transport::Server::builder();
    match kind {
        Kind::Bare => {
            let server = server.add_service(service);
            server.serve_with_incoming(incoming).await?;
        }
        Kind::Stack => {
            // All that it takes. Nobody has told the limit what the server can do: it finds out.
            let limit = ConcurrencyLayer::new(Settings::new(1_000)?.queue(100)?)
                .adaptive(Vegas::new())
                .by_criticality();
            let stack = ServerLayer::internal().trust(inside()?).concurrency(limit);
            let server = server.layer(stack).add_service(service);
            server.serve_with_incoming(incoming).await?;
        }
    }
    Ok(())
}

/// Who calls from this machine may say how critical its calls are; a stranger may not.
fn inside() -> Result<TrustLayer<impl Fn(&Extensions) -> Peer + Clone>, Problem> {
    let networks = [Ipv4Addr::LOCALHOST.into()];
    let from = |extensions: &Extensions| {
        let connection = extensions.get::<TcpConnectInfo>();
        let address = connection.and_then(TcpConnectInfo::remote_addr);
        Peer::at(address.map(|address| address.ip()))
    };
    let trust = TrustLayer::internal(networks.map(std::net::IpAddr::into), trust::Settings::new());
    Ok(trust.peer_with(from))
}
