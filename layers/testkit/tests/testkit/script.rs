//! Scripted services answer on cue, and remember.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use std::time::Duration;
use tokio::time::Instant;
use tokio_test::{assert_pending, task};
use tonic::{Code, body::Body};
use tower::ServiceExt;
use ziggurat_testkit::{
    BodyCut, EchoClient, EchoReply, EchoRequest, HttpScript, Script, ScriptBody, Scripted, Step,
};

const SECOND: Duration = Duration::from_secs(1);

fn request() -> Request<Full<Bytes>> {
    Request::builder()
        .uri("/a")
        .header("x-a", "1")
        .extension(7_u32)
        .body(Full::from("hello"))
        .unwrap()
}

async fn play(step: Step<Response<ScriptBody>>) -> Response<ScriptBody> {
    HttpScript::new([step]).oneshot(request()).await.unwrap()
}

/// Speaks to the script through a generated client.
async fn unary(step: Step<Response<ScriptBody>>) -> Result<EchoReply, tonic::Status> {
    let script = HttpScript::new([step]).reading_bodies();
    let service = script.map_request(|request: Request<Body>| request);
    let reply = EchoClient::new(service).unary(EchoRequest::default()).await;
    reply.map(tonic::Response::into_inner)
}

#[tokio::test(start_paused = true)]
async fn values_are_answered_in_order_and_the_last_one_for_ever() {
    let script = Script::new([
        Step::answer('a'),
        Step::fail_with("no"),
        Step::answer('c').after(SECOND),
    ]);
    let call = |n: u32| script.clone().oneshot(n);
    assert_eq!(call(1).await.unwrap(), 'a');
    assert!(call(2).await.unwrap_err().is::<Scripted>());
    let start = Instant::now();
    assert_eq!(call(3).await.unwrap(), 'c');
    assert_eq!(call(4).await.unwrap(), 'c');
    assert_eq!(start.elapsed(), 2 * SECOND);
    assert_eq!(script.seen(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_function_sees_the_number_and_the_request() {
    let script = Script::by(|number, request: &u32| Step::answer((number, *request)));
    assert_eq!(script.clone().oneshot(9).await.unwrap(), (0, 9));
    assert_eq!(script.clone().oneshot(8).await.unwrap(), (1, 8));
}

#[tokio::test]
async fn a_step_can_hang() {
    let script = Script::<u32, u32>::new([Step::never()]);
    assert_pending!(task::spawn(script.oneshot(1)).poll());
}

#[tokio::test]
async fn requests_are_remembered_and_read_when_asked() {
    let script = HttpScript::new([Step::status(StatusCode::OK)]).reading_bodies();
    script.clone().oneshot(request()).await.unwrap();
    let seen = &script.seen()[0];
    assert_eq!(seen.uri, "/a");
    assert_eq!(seen.headers["x-a"], "1");
    assert_eq!(seen.extensions.get(), Some(&7_u32));
    assert_eq!(seen.body.as_deref(), Some(&b"hello"[..]));

    let script = HttpScript::by(|number, seen| {
        assert_eq!((number, seen.uri.path()), (0, "/a"));
        Step::status(StatusCode::OK)
    });
    script.clone().oneshot(request()).await.unwrap();
    assert_eq!(script.seen()[0].body, None);
}

#[tokio::test]
async fn a_generated_client_reads_every_kind_of_status() {
    let message = prost::Message::encode_to_vec(&EchoReply {
        message: "hi".into(),
        ..EchoReply::default()
    });
    assert_eq!(
        unary(Step::grpc(message.clone())).await.unwrap().message,
        "hi"
    );

    let status =
        unary(Step::trailers_only(Code::Unavailable).header("grpc-retry-pushback-ms", "500"))
            .await
            .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(
        status.metadata().get("grpc-retry-pushback-ms").unwrap(),
        "500"
    );

    let late = Step::headers_then_status(Code::Aborted, message.clone());
    assert_eq!(unary(late).await.unwrap_err().code(), Code::Aborted);

    let bare = Step::status(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(unary(bare).await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn bodies_end_as_they_are_told() {
    let whole = play(Step::grpc("abc"))
        .await
        .into_body()
        .collect()
        .await
        .unwrap();
    assert_eq!(whole.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(whole.to_bytes(), &b"\0\0\0\0\x03abc"[..]);

    let missing = play(Step::missing_status("abc"))
        .await
        .into_body()
        .collect()
        .await
        .unwrap();
    assert!(missing.trailers().is_none());

    let html = play(Step::html(StatusCode::BAD_GATEWAY)).await;
    assert_eq!(html.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(html.headers()["content-type"], "text/html");

    let mut cut = play(Step::cut_off("abc")).await.into_body();
    assert!(cut.frame().await.unwrap().unwrap().is_data());
    assert!(cut.frame().await.unwrap().unwrap_err().is::<BodyCut>());
    assert!(cut.frame().await.is_none());

    let mut hanging = play(Step::hanging_body()).await.into_body();
    assert_pending!(task::spawn(hanging.frame()).poll());

    let start = Instant::now();
    let slow = ScriptBody::default().wait(SECOND).data("a").wait(SECOND);
    assert_eq!(slow.collect().await.unwrap().to_bytes(), "a");
    assert_eq!(start.elapsed(), 2 * SECOND);

    assert!(http_body::Body::is_end_stream(&ScriptBody::default()));
}
