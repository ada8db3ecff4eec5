//! An echo server on its bad days, as a generated client sees it. The clock is paused, the connection is in memory.

use http::{Request, StatusCode};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tonic::{Code, Response, Status, body::Body};
use tower::ServiceExt;
use ziggurat_testkit::{Behaviour, EchoClient, EchoReply, EchoRequest, EchoServer, PlainClient};

const SECOND: Duration = Duration::from_secs(1);

async fn start(behaviour: Behaviour) -> (EchoServer, EchoClient<PlainClient>) {
    let server = EchoServer::in_memory();
    server.behave(behaviour);
    let client = EchoClient::new(server.connect_in_memory().await);
    (server, client)
}

async fn unary(client: &EchoClient<PlainClient>) -> Result<EchoReply, Status> {
    let request = EchoRequest {
        message: "hello".into(),
        ..EchoRequest::default()
    };
    client
        .clone()
        .unary(request)
        .await
        .map(Response::into_inner)
}

async fn failure(behaviour: Behaviour) -> Status {
    let (server, client) = start(behaviour).await;
    let status = unary(&client).await.unwrap_err();
    server.behave(Behaviour::Healthy);
    unary(&client).await.unwrap();
    status
}

#[tokio::test(start_paused = true)]
async fn it_fails_in_the_headers_or_in_the_trailers() {
    let status = failure(Behaviour::Fail(Code::Unavailable)).await;
    assert_eq!(status.code(), Code::Unavailable);

    let status = failure(Behaviour::FailLate(Code::Aborted)).await;
    assert_eq!(status.code(), Code::Aborted);

    let status = failure(Behaviour::PushBack(Code::ResourceExhausted, "300".into())).await;
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(
        status.metadata().get("grpc-retry-pushback-ms").unwrap(),
        "300"
    );
}

#[tokio::test(start_paused = true)]
async fn it_is_slow_or_never_answers() {
    let (server, client) = start(Behaviour::Slow(SECOND)).await;
    server.latency(SECOND);
    let start = Instant::now();
    unary(&client).await.unwrap();
    assert_eq!(start.elapsed(), 2 * SECOND);

    server.latency(Duration::ZERO);
    server.behave(Behaviour::Stall);
    timeout(SECOND, unary(&client)).await.unwrap_err();
    tokio::time::sleep(SECOND).await;
    let counts = server.counts();
    assert_eq!(
        (counts.finished, counts.dropped, counts.in_flight),
        (1, 1, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn it_cuts_bodies_or_lets_them_hang() {
    let (server, client) = start(Behaviour::CutBody).await;
    let mut replies = client
        .clone()
        .server_stream(EchoRequest {
            repeat: 3,
            ..EchoRequest::default()
        })
        .await
        .expect("headers arrive")
        .into_inner();
    assert_eq!(replies.message().await.unwrap_err().code(), Code::Internal);

    server.behave(Behaviour::StallBody);
    let mut replies = client
        .clone()
        .server_stream(EchoRequest {
            repeat: 3,
            ..EchoRequest::default()
        })
        .await
        .expect("headers arrive")
        .into_inner();
    timeout(SECOND, replies.message()).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn it_ends_without_a_status() {
    let (_server, client) = start(Behaviour::MissingStatus).await;
    assert_eq!(unary(&client).await.unwrap_err().code(), Code::Unknown);
}

#[tokio::test(start_paused = true)]
async fn it_speaks_as_a_proxy() {
    let (server, _) = start(Behaviour::Html(StatusCode::BAD_GATEWAY)).await;
    let request = Request::post("/echo.v1.Echo/Unary").body(Body::empty());
    let client = server.connect_in_memory().await;
    let response = client.oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(response.headers()["content-type"], "text/html");
}

#[tokio::test(start_paused = true)]
async fn it_resets_streams() {
    const REFUSED_STREAM: u32 = 7;
    const CANCEL: u32 = 8;
    assert_eq!(
        failure(Behaviour::Reset(REFUSED_STREAM)).await.code(),
        Code::Unavailable
    );
    assert_eq!(
        failure(Behaviour::Reset(CANCEL)).await.code(),
        Code::Cancelled
    );
}

#[tokio::test(start_paused = true)]
async fn it_cuts_one_connection_alone() {
    let (server, client) = start(Behaviour::Healthy).await;
    let other = EchoClient::new(server.connect_in_memory().await);
    unary(&client).await.unwrap();
    server.behave_next(1, Behaviour::CutConnection);
    unary(&client).await.unwrap_err();
    unary(&client).await.unwrap_err();
    unary(&other).await.unwrap();
    assert_eq!(server.counts().connections, 1);
}

#[tokio::test(start_paused = true)]
async fn bad_days_queue_up_and_end() {
    let (server, client) = start(Behaviour::Healthy).await;
    server.behave_next(2, Behaviour::Fail(Code::Unavailable));
    server.behave_next(1, Behaviour::Fail(Code::Aborted));
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(
            unary(&client)
                .await
                .map_or_else(|status| status.code(), |_| Code::Ok),
        );
    }
    let expected = [
        Code::Unavailable,
        Code::Unavailable,
        Code::Aborted,
        Code::Ok,
    ];
    assert_eq!(codes, expected);
}
