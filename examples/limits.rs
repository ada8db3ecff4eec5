//! The way into a server, as one layer around a tonic server and around an axum router.
//!
//! Both admit two requests; the third is RESOURCE_EXHAUSTED to a gRPC client and 429 to any other.
//!
//! ```text
//! cargo run --example limits
//! ```

use axum::{Router, routing::get};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tonic::transport::{Endpoint, Server, server::TcpIncoming};
use ziggurat::{
    limit::{Rate, RateLimitLayer},
    server::ServerLayer,
};
use ziggurat_testkit::{EchoClient, EchoHandler, EchoRequest, proto::echo_server::EchoServer};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut servers = JoinSet::new();
    let grpc = TcpListener::bind("127.0.0.1:0").await?;
    let http = TcpListener::bind("127.0.0.1:0").await?;
    let (grpc_address, http_address) = (grpc.local_addr()?, http.local_addr()?);

    // The state of a layer belongs to its value: each server here gets a limit of its own.
    let rate = Rate::per_second(1)?.burst(2)?;
    let limit = RateLimitLayer::new(rate);
    let tonic = Server::builder()
        .layer(ServerLayer::internal().rate_limit(limit.isolated()))
        .add_service(EchoServer::new(EchoHandler::new("echo")));
    servers.spawn(async move {
        tonic
            .serve_with_incoming(TcpIncoming::from(grpc))
            .await
            .map_err(BoxError::from)
    });

    let axum = Router::new()
        .route("/", get(async || "hello\n"))
        .layer(ServerLayer::edge().rate_limit(limit));
    servers.spawn(async move { axum::serve(http, axum).await.map_err(BoxError::from) });

    let mut client = EchoClient::new(
        Endpoint::from_shared(format!("http://{grpc_address}"))?
            .connect()
            .await?,
    );
    for _ in 0..3 {
        match client.unary(EchoRequest::default()).await {
            Ok(_) => println!("gRPC: OK"),
            Err(status) => println!("gRPC: {:?}, {:?}", status.code(), status.metadata()),
        }
    }
    for _ in 0..3 {
        let mut socket = TcpStream::connect(http_address).await?;
        socket
            .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await?;
        println!("HTTP: {}", answer.lines().next().unwrap_or_default());
    }
    Ok(())
}
