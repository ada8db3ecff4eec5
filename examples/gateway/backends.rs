//! Two services that the gateway can find, each with servers of its own: they would run elsewhere.

use futures_core::Stream;
use futures_util::stream;
use std::{io, pin::Pin, time::Duration};
use tokio::{net::TcpListener, task::JoinSet, time};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Server, server::TcpIncoming},
};
use ziggurat::{
    coord::{Registration, Registry},
    core::Instance,
    server::ServerLayer,
    trace,
};
use ziggurat_testkit::{
    EchoReply, EchoRequest,
    proto::echo_server::{Echo, EchoServer},
};

/// Servers that are found as `greeter` and `news`, until this is dropped.
#[derive(Debug)]
pub(crate) struct Backends {
    _registrations: Vec<Registration>,
    _servers: JoinSet<()>,
}

#[derive(Clone, Debug)]
struct Backend(String);

type Replies = Pin<Box<dyn Stream<Item = Result<EchoReply, Status>> + Send>>;

/// The time between two pieces of news.
const PACE: Duration = Duration::from_millis(20);

// === impl Backends ===

impl Backends {
    /// Two servers a service.
    pub(crate) async fn start(registry: &Registry) -> io::Result<Self> {
        let (mut registrations, mut servers) = (Vec::new(), JoinSet::new());
        for (service, name) in [
            ("greeter", "greeter-1"),
            ("greeter", "greeter-2"),
            ("news", "news-1"),
            ("news", "news-2"),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let instance = Instance::at(service, listener.local_addr()?);
            let instance = instance.map_err(io::Error::other)?;
            let server = Server::builder()
                .layer(ServerLayer::internal())
                .add_service(EchoServer::new(Backend(name.to_owned())))
                .serve_with_incoming(TcpIncoming::from(listener));
            servers.spawn(async move {
                if let Err(error) = server.await {
                    eprintln!("{name}: {error}");
                }
            });
            let registered = registry.register(instance).await;
            registrations.push(registered.map_err(io::Error::other)?);
        }
        Ok(Self {
            _registrations: registrations,
            _servers: servers,
        })
    }
}

// === impl Backend ===

impl Backend {
    /// The text, this server, and the trace that it was asked in.
    fn reply(&self, message: String, repeat: u32) -> EchoReply {
        let trace = trace::current();
        let trace = trace.map_or_else(String::new, |trace| trace.trace_id().to_string());
        EchoReply {
            message,
            repeat,
            payload: trace.into(),
            server: self.0.clone(),
        }
    }
}

#[tonic::async_trait]
impl Echo for Backend {
    type ServerStreamStream = Replies;
    type BidiStream = Replies;

    /// Thinks for `repeat` milliseconds, and replies.
    async fn unary(&self, request: Request<EchoRequest>) -> Result<Response<EchoReply>, Status> {
        let request = request.into_inner();
        time::sleep(Duration::from_millis(request.repeat.into())).await;
        Ok(Response::new(self.reply(request.message, request.repeat)))
    }

    /// `repeat` pieces of news.
    async fn server_stream(
        &self,
        request: Request<EchoRequest>,
    ) -> Result<Response<Replies>, Status> {
        let EchoRequest {
            message, repeat, ..
        } = request.into_inner();
        let reply = self.reply(message, 0);
        let replies = stream::unfold(0, move |place| {
            let reply = EchoReply {
                repeat: place,
                ..reply.clone()
            };
            async move {
                time::sleep(PACE).await;
                (place < repeat).then_some((Ok(reply), place + 1))
            }
        });
        Ok(Response::new(Box::pin(replies)))
    }

    async fn client_stream(
        &self,
        _: Request<Streaming<EchoRequest>>,
    ) -> Result<Response<EchoReply>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn bidi(&self, _: Request<Streaming<EchoRequest>>) -> Result<Response<Replies>, Status> {
        Err(Status::unimplemented("not here"))
    }
}
