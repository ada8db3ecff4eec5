//! One connection over loopback. The server is in the same process, and its time counts for everybody
//! alike: the difference between rows says more than their ratio.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http2 as client, server::conn::http2 as server};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{
    fmt::Debug,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Handle,
    task::JoinSet,
};
use tonic::transport::{Channel, Endpoint};
use tower::{BoxError, Service, ServiceExt, service_fn};
use ziggurat_benches::{Board, HttpNoop, HttpRequest, HttpResponse};
use ziggurat_connect::{Connection, Connector};
use ziggurat_core::Instance;

pub(crate) fn rows(board: &mut Board) {
    board
        .section::<HttpRequest>("connect", "loopback")
        .service("floor", || connected(hyper))
        .service("ziggurat", || connected(ziggurat))
        .service("tonic", || connected(tonic));
}

/// A client of a server of its own.
fn connected<S>(
    connect: impl AsyncFnOnce(SocketAddr, &mut JoinSet<()>) -> Result<S, BoxError>,
) -> impl Service<HttpRequest, Error: Debug, Future: Send> + Clone + Send + 'static
where
    S: Service<HttpRequest, Error: Debug, Future: Send> + Clone + Send + 'static,
{
    let mut tasks = JoinSet::new();
    let connecting = async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        tasks.spawn(serve(listener));
        connect(address, &mut tasks).await
    };
    let client = Handle::current().block_on(connecting);
    let client = client.expect("loopback connects");
    let tasks = Arc::new(tasks);
    client.map_result(move |answer| {
        let _running = &tasks;
        answer
    })
}

/// `SendRequest` and nothing else.
async fn hyper(
    address: SocketAddr,
    tasks: &mut JoinSet<()>,
) -> Result<impl Service<HttpRequest, Error: Debug, Future: Send> + Clone + Send + use<>, BoxError>
{
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let builder = client::Builder::new(TokioExecutor::new());
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    tasks.spawn(async move {
        // Its calls say how it ended.
        _ = connection.await;
    });
    Ok(service_fn(move |request: HttpRequest| {
        sender.clone().send_request(request)
    }))
}

async fn ziggurat(
    address: SocketAddr,
    _: &mut JoinSet<()>,
) -> Result<Connection<Full<Bytes>>, BoxError> {
    let instance = Instance::at("users", address)?;
    Connector::default().oneshot(instance).await
}

async fn tonic(
    address: SocketAddr,
    _: &mut JoinSet<()>,
) -> Result<impl Service<HttpRequest, Error: Debug, Future: Send> + Clone + Send + use<>, BoxError>
{
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    let channel: Channel = endpoint.connect().await?;
    Ok(channel.map_request(|request: HttpRequest| request.map(tonic::body::Body::new)))
}

async fn serve(listener: TcpListener) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        _ = stream.set_nodelay(true);
        let connection = server::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), hyper::service::service_fn(answer));
        connections.spawn(async move {
            // Its client says how it ended.
            _ = connection.await;
        });
    }
}

async fn answer(request: Request<Incoming>) -> hyper::Result<HttpResponse> {
    // A body that nobody reads would end in a reset.
    request.into_body().collect().await?;
    Ok(HttpNoop::answer())
}
