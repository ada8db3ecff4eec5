//! What a call waits for, and what it leaves behind.

use crate::support::{
    MS, Plain, bounded, call, connect, eventually, finish, make, quick, request, sent, until,
};
use http::HeaderValue;
use http_body_util::BodyExt;
use tokio::task::JoinSet;
use tower::{Service, ServiceExt};
use ziggurat_connect::{Crowded, Settings, TooLate};
use ziggurat_core::{
    CallOptions, Code, Deadline, Endpoint, Instance, Rejection, Sent, State, error, grpc,
};
use ziggurat_testkit::{Act, Behaviour, BlackHole, EchoServer, RawH2, RawScript, RefusingAddress};

#[tokio::test]
async fn a_call_is_answered_to_its_trailers() {
    bounded(async {
        let server = EchoServer::start().await;
        let connection = connect(server.address()).await;
        assert_eq!(
            connection.availability().state(),
            State::Connecting,
            "it answers before there is a connection"
        );
        assert_eq!(
            finish(call(&connection).await).await.unwrap(),
            Some(Code::Ok)
        );
        assert!(connection.availability().is_ready());
        let headers = server.last_headers().unwrap();
        assert!(
            headers["user-agent"]
                .to_str()
                .unwrap()
                .starts_with("ziggurat/")
        );
        assert!(!headers.contains_key(grpc::TIMEOUT));
    })
    .await;
}

#[tokio::test]
async fn what_is_left_of_the_deadline_goes_out_with_the_call() {
    bounded(async {
        let server = EchoServer::start().await;
        let connector = Plain::new(quick()).user_agent(HeaderValue::from_static("mine"));
        let connection = make(connector, server.address()).await;
        let mut request = request();
        let longer = Deadline::after(20_000 * MS);
        request.extensions_mut().insert(longer);
        let options = CallOptions::new().timeout(9_000 * MS);
        request.extensions_mut().insert(options);
        finish(connection.oneshot(request).await).await.unwrap();
        let headers = server.last_headers().unwrap();
        let told = grpc::decode_timeout(&headers[grpc::TIMEOUT]).unwrap();
        assert!(told <= 9_000 * MS && told > 5_000 * MS, "{told:?}");
        assert_eq!(headers["user-agent"], "mine");
    })
    .await;
}

#[tokio::test]
async fn calls_beyond_the_stream_limit_wait_in_order() {
    bounded(async {
        let server = EchoServer::setup().max_concurrent_streams(1).start().await;
        server.latency(2 * MS);
        server.record(true);
        let connection = connect(server.address()).await;
        until(&connection, State::Ready).await;
        let mut calls = JoinSet::new();
        for n in 0..10 {
            let mut request = request();
            request.headers_mut().insert("n", n.into());
            let connection = connection.clone();
            calls.spawn(async move { finish(connection.oneshot(request).await).await });
        }
        while let Some(ended) = calls.join_next().await {
            assert_eq!(ended.unwrap().unwrap(), Some(Code::Ok));
        }
        let came: Vec<_> = server.recorded().iter().map(|h| h["n"].clone()).collect();
        let asked: Vec<_> = (0..10).map(HeaderValue::from).collect();
        assert_eq!(came, asked);
        assert_eq!(server.counts().highest, 1);
    })
    .await;
}

#[tokio::test]
async fn a_dropped_call_gives_its_stream_back() {
    bounded(async {
        let server = EchoServer::setup().max_concurrent_streams(1).start().await;
        let connection = connect(server.address()).await;
        for drops in 1..=20 {
            server.behave_next(1, Behaviour::Stall);
            let stalled = connection.clone().oneshot(request());
            tokio::select! {
                _ = stalled => panic!("a stalled call answered"),
                () = eventually(|| server.counts().in_flight == 1) => {}
            }
            eventually(|| server.counts().dropped == drops).await;
        }
        assert_eq!(
            finish(call(&connection).await).await.unwrap(),
            Some(Code::Ok)
        );
    })
    .await;
}

#[tokio::test]
async fn a_body_holds_its_stream_until_it_is_dropped() {
    bounded(async {
        let server = EchoServer::setup().max_concurrent_streams(1).start().await;
        let connection = connect(server.address()).await;
        server.behave_next(1, Behaviour::StallBody);
        let answer = call(&connection).await.unwrap();
        let mut second = tokio_test::task::spawn(connection.clone().oneshot(request()));
        tokio_test::assert_pending!(second.poll());
        drop(answer);
        assert_eq!(
            finish(second.into_inner().await).await.unwrap(),
            Some(Code::Ok)
        );
    })
    .await;
}

#[tokio::test]
async fn more_waiting_calls_than_allowed_are_refused() {
    bounded(async {
        let server = EchoServer::setup().max_concurrent_streams(1).start().await;
        server.behave(Behaviour::Stall);
        let connector = Plain::new(quick().max_waiting(1));
        let connection = make(connector, server.address()).await;
        until(&connection, State::Ready).await;
        let mut held = tokio_test::task::spawn(connection.clone().oneshot(request()));
        tokio_test::assert_pending!(held.poll());
        let mut waits = tokio_test::task::spawn(connection.clone().oneshot(request()));
        tokio_test::assert_pending!(waits.poll());
        let error = call(&connection).await.unwrap_err();
        assert!(error::find::<Crowded>(&*error).is_some());
        let rejection = error::find::<Rejection>(&*error).unwrap();
        assert_eq!(rejection.code(), Code::ResourceExhausted);
    })
    .await;
}

#[tokio::test]
async fn the_deadline_ends_a_call_that_waits_for_a_connection() {
    bounded(async {
        let hole = BlackHole::start().await;
        let connection = connect(hole.address()).await;
        let mut request = request();
        request.extensions_mut().insert(Deadline::after(50 * MS));
        let error = connection.clone().oneshot(request).await.unwrap_err();
        assert!(error::find::<TooLate>(&*error).is_some());
        let rejection = error::find::<Rejection>(&*error).unwrap();
        assert_eq!(rejection.code(), Code::DeadlineExceeded);
        assert_eq!(rejection.sent(), Sent::Never);
        assert_eq!(connection.availability().state(), State::Connecting);
    })
    .await;
}

#[tokio::test]
async fn the_deadline_ends_a_call_that_waits_for_a_stream() {
    bounded(async {
        let server = EchoServer::setup().max_concurrent_streams(1).start().await;
        server.behave(Behaviour::Stall);
        let connection = connect(server.address()).await;
        until(&connection, State::Ready).await;
        let mut held = tokio_test::task::spawn(connection.clone().oneshot(request()));
        tokio_test::assert_pending!(held.poll());
        let mut request = request();
        request.extensions_mut().insert(Deadline::after(30 * MS));
        let error = connection.oneshot(request).await.unwrap_err();
        assert!(error::find::<TooLate>(&*error).is_some());
    })
    .await;
}

#[tokio::test]
async fn a_call_to_an_endpoint_that_is_down_fails_at_once() {
    bounded(async {
        let refusing = RefusingAddress::new();
        let connection = make(Plain::new(Settings::default()), refusing.address()).await;
        for _ in 0..3 {
            let error = call(&connection).await.unwrap_err();
            assert_eq!(sent(&error), Sent::Never);
            let rejection = error::find::<Rejection>(&*error).unwrap();
            assert!(rejection.reason().contains("refused"), "{rejection}");
        }
        assert_eq!(connection.availability().state(), State::Down);
    })
    .await;
}

#[tokio::test]
async fn a_body_that_is_cut_off_says_so() {
    bounded(async {
        let server = EchoServer::start().await;
        let connection = connect(server.address()).await;
        server.behave_next(1, Behaviour::CutBody);
        let error = finish(call(&connection).await).await.unwrap_err();
        assert_eq!(sent(&error), Sent::Unknown);
        server.behave_next(1, Behaviour::StallBody);
        let mut answer = call(&connection).await.unwrap();
        assert!(answer.frame().await.unwrap().is_ok());
        server.kill().await;
        let error = answer.frame().await.unwrap().unwrap_err();
        assert_eq!(sent(&error), Sent::Unknown);
        assert!(answer.frame().await.is_none());
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_falls_silent_is_noticed_by_keepalive() {
    bounded(async {
        let script = RawScript::new().after(1, Act::Wait(60_000 * MS));
        let server = RawH2::serve(script).await;
        let settings = quick().keepalive(30 * MS, 30 * MS).unwrap();
        let connection = make(Plain::new(settings), server.address()).await;
        let error = call(&connection).await.unwrap_err();
        assert_eq!(sent(&error), Sent::Unknown);
        assert!(
            error::find::<Rejection>(&*error)
                .unwrap()
                .reason()
                .contains("keep-alive")
        );
    })
    .await;
}

#[tokio::test]
async fn a_name_is_looked_up_and_every_address_is_tried() {
    bounded(async {
        let server = EchoServer::start().await;
        let port = server.address().port();
        let instance = Instance::new("echo", "by-name", "localhost", port).unwrap();
        let connection = Plain::new(quick()).call(instance).await.unwrap();
        assert_eq!(
            finish(call(&connection).await).await.unwrap(),
            Some(Code::Ok)
        );
    })
    .await;
}

#[tokio::test]
async fn an_ipv6_address_is_an_address() {
    bounded(async {
        let listener = tokio::net::TcpListener::bind("[::1]:0").await.unwrap();
        let connection = connect(listener.local_addr().unwrap()).await;
        let server = EchoServer::in_memory();
        let (stream, _) = listener.accept().await.unwrap();
        server.adopt(stream);
        assert_eq!(
            finish(call(&connection).await).await.unwrap(),
            Some(Code::Ok)
        );
    })
    .await;
}

#[tokio::test]
async fn a_service_whose_name_is_no_authority_needs_one() {
    let instance = Instance::new("team/echo", "a", "127.0.0.1", 1).unwrap();
    let connector = Plain::default();
    let error = connector
        .clone()
        .oneshot(instance.clone())
        .await
        .unwrap_err();
    let told = r#"invalid connector: service "team/echo" must be host or host:port, or an authority must be set"#;
    assert_eq!(error.to_string(), told);
    assert_eq!(connector.check("team/echo").unwrap_err().to_string(), told);
    connector.check("echo").unwrap();
    let authority = http::uri::Authority::from_static("echo.team");
    let connected = connector.authority(authority).oneshot(instance).await;
    connected.unwrap();
}

#[test]
fn a_connector_outside_a_runtime_fails_and_does_not_panic() {
    let instance = Instance::new("echo", "a", "127.0.0.1", 1).unwrap();
    let mut connector = Plain::default();
    let mut made = tokio_test::task::spawn(connector.call(instance));
    tokio_test::assert_ready!(made.poll()).unwrap_err();
}
