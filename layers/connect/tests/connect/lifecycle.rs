//! How connections come and go.

use crate::support::{
    MS, Plain, bounded, call, connect, eventually, finish, make, quick, request, sent, until,
};
use http_body_util::BodyExt;
use std::{error::Error, time::Duration};
use tokio::{net::TcpListener, sync::mpsc};
use tower::ServiceExt;
use ziggurat_connect::Observer;
use ziggurat_core::{Code, Endpoint, EndpointId, Sent, State};
use ziggurat_testkit::{Act, Behaviour, BlackHole, EchoServer, RawH2, RawScript, RefusingAddress};

/// Tells a test what an observer hears.
struct Tell(mpsc::UnboundedSender<Heard>);

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Connected,
    Failed(Duration),
    Disconnected(bool),
}

impl Tell {
    fn new() -> (Self, mpsc::UnboundedReceiver<Heard>) {
        let (tell, told) = mpsc::unbounded_channel();
        (Self(tell), told)
    }
}

impl Observer for Tell {
    fn connected(&self, _: &EndpointId, _: Duration) {
        let _ = self.0.send(Heard::Connected);
    }

    fn connect_failed(
        &self,
        _: &EndpointId,
        _: &(dyn Error + Send + Sync + 'static),
        retry_in: Duration,
    ) {
        let _ = self.0.send(Heard::Failed(retry_in));
    }

    fn disconnected(
        &self,
        _: &EndpointId,
        error: Option<&(dyn Error + Send + Sync + 'static)>,
        _: Duration,
    ) {
        let _ = self.0.send(Heard::Disconnected(error.is_some()));
    }
}

#[tokio::test]
async fn a_port_that_refuses_is_tried_again_less_and_less() {
    bounded(async {
        let refusing = RefusingAddress::new();
        let (tell, mut told) = Tell::new();
        let connector = Plain::new(quick()).observe_with(tell);
        let connection = make(connector, refusing.address()).await;
        for millis in [20, 40, 80, 160, 320] {
            let heard = told.recv().await.unwrap();
            assert_eq!(heard, Heard::Failed(millis * MS));
            until(&connection, State::Down).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_never_speaks_is_given_up_after_the_timeout() {
    bounded(async {
        let hole = BlackHole::start().await;
        let settings = quick().connect_timeout(20 * MS).unwrap();
        let connection = make(Plain::new(settings), hole.address()).await;
        until(&connection, State::Down).await;
        until(&connection, State::Connecting).await;
        until(&connection, State::Down).await;
        assert!(hole.accepted() >= 2);
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_hangs_up_at_once_is_backed_off_from() {
    bounded(async {
        let server = RawH2::serve(RawScript::new().after(0, Act::Close)).await;
        let (tell, mut told) = Tell::new();
        let connector = Plain::new(quick()).observe_with(tell);
        let _connection = make(connector, server.address()).await;
        let mut delays = Vec::new();
        while delays.len() < 3 {
            if let Heard::Failed(delay) = told.recv().await.unwrap() {
                delays.push(delay);
            }
        }
        assert_eq!(delays, [20 * MS, 40 * MS, 80 * MS]);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_comes_back_is_connected_without_a_call() {
    bounded(async {
        let server = EchoServer::start().await;
        let (tell, mut told) = Tell::new();
        let connector = Plain::new(quick()).observe_with(tell);
        let connection = make(connector, server.address()).await;
        finish(call(&connection).await).await.unwrap();
        assert_eq!(told.recv().await, Some(Heard::Connected));
        server.kill().await;
        until(&connection, State::Down).await;
        assert_eq!(told.recv().await, Some(Heard::Disconnected(true)));
        assert_eq!(told.recv().await, Some(Heard::Failed(20 * MS)));
        server.restart().await;
        until(&connection, State::Ready).await;
        assert_eq!(
            finish(call(&connection).await).await.unwrap(),
            Some(Code::Ok)
        );
    })
    .await;
}

#[tokio::test]
async fn an_observer_that_panics_ends_no_connection_and_no_endpoint() {
    struct Clumsy;
    impl Observer for Clumsy {
        fn connected(&self, _: &EndpointId, _: Duration) {
            panic!("on purpose");
        }

        fn connect_failed(
            &self,
            _: &EndpointId,
            _: &(dyn Error + Send + Sync + 'static),
            _: Duration,
        ) {
            panic!("on purpose");
        }

        fn disconnected(
            &self,
            _: &EndpointId,
            _: Option<&(dyn Error + Send + Sync + 'static)>,
            _: Duration,
        ) {
            panic!("on purpose");
        }
    }
    bounded(async {
        let server = EchoServer::start().await;
        let connector = Plain::new(quick()).observe_with(Clumsy);
        let connection = make(connector, server.address()).await;
        for _ in 0..2 {
            until(&connection, State::Ready).await;
            let answered = finish(call(&connection).await).await;
            assert_eq!(answered.unwrap(), Some(Code::Ok));
            server.kill().await;
            until(&connection, State::Down).await;
            server.restart().await;
        }
        until(&connection, State::Ready).await;
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_is_not_replaced_in_time_is_ready_no_more() {
    bounded(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connection = connect(listener.local_addr().unwrap()).await;
        let server = EchoServer::in_memory();
        server.adopt(listener.accept().await.unwrap().0);
        finish(call(&connection).await).await.unwrap();
        // The next one is accepted by the kernel, and nobody serves it.
        server.go_away();
        eventually(|| server.counts().connections == 0).await;
        let _unserved = listener.accept().await.unwrap();
        assert_eq!(connection.availability().state(), State::Ready);
        until(&connection, State::Connecting).await;
    })
    .await;
}

#[tokio::test]
async fn the_socket_closes_with_the_last_handle() {
    bounded(async {
        let server = EchoServer::start().await;
        let connection = connect(server.address()).await;
        finish(call(&connection).await).await.unwrap();
        let clone = connection.clone();
        drop(connection);
        finish(call(&clone).await).await.unwrap();
        assert_eq!(server.counts().connections, 1);
        drop(clone);
        eventually(|| server.counts().connections == 0).await;
    })
    .await;
}

#[tokio::test]
async fn the_socket_stays_while_a_body_is_read() {
    bounded(async {
        let server = EchoServer::start().await;
        let connection = connect(server.address()).await;
        server.behave_next(1, Behaviour::StallBody);
        let mut answer = call(&connection).await.unwrap();
        drop(connection);
        assert!(answer.frame().await.unwrap().is_ok());
        for _ in 0..20 {
            tokio::time::sleep(MS).await;
            assert_eq!(server.counts().connections, 1);
        }
        drop(answer);
        eventually(|| server.counts().connections == 0).await;
    })
    .await;
}

#[tokio::test]
async fn a_call_ends_although_the_last_handle_is_gone() {
    bounded(async {
        let server = EchoServer::start().await;
        let connection = connect(server.address()).await;
        until(&connection, State::Ready).await;
        server.latency(50 * MS);
        let mut answer = tokio_test::task::spawn(connection.clone().oneshot(request()));
        tokio_test::assert_pending!(answer.poll());
        drop(connection);
        let ended = finish(answer.into_inner().await).await.unwrap();
        assert_eq!(ended, Some(Code::Ok));
        eventually(|| server.counts().connections == 0).await;
    })
    .await;
}

#[tokio::test]
async fn a_body_that_was_read_to_its_end_holds_nothing() {
    bounded(async {
        let server = EchoServer::start().await;
        let connection = connect(server.address()).await;
        let mut answer = call(&connection).await.unwrap();
        drop(connection);
        while let Some(frame) = answer.frame().await {
            frame.unwrap();
        }
        eventually(|| server.counts().connections == 0).await;
        drop(answer);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_without_handles_is_not_connected_again() {
    bounded(async {
        let server = EchoServer::start().await;
        let connection = connect(server.address()).await;
        server.behave_next(1, Behaviour::StallBody);
        let answer = call(&connection).await.unwrap();
        drop(connection);
        server.go_away();
        for _ in 0..20 {
            tokio::time::sleep(MS).await;
            assert_eq!(server.counts().accepted, 1);
        }
        drop(answer);
        eventually(|| server.counts().connections == 0).await;
    })
    .await;
}

#[tokio::test]
async fn a_server_that_asks_for_calm_is_connected_again() {
    bounded(async {
        let calm = Act::GoAway {
            last_stream: 0,
            code: 11,
        };
        let server = RawH2::serve(RawScript::new().after(0, Act::Wait(120 * MS)).then(calm)).await;
        let (tell, mut told) = Tell::new();
        let connector = Plain::new(quick()).observe_with(tell);
        let _connection = make(connector, server.address()).await;
        assert_eq!(told.recv().await, Some(Heard::Connected));
        assert_eq!(told.recv().await, Some(Heard::Disconnected(true)));
        assert_eq!(told.recv().await, Some(Heard::Connected));
    })
    .await;
}

#[tokio::test]
async fn a_handle_that_outlives_its_runtime_fails_and_does_not_hang() {
    let (hand_over, handed) = std::sync::mpsc::channel();
    let server = EchoServer::start().await;
    let address = server.address();
    let other = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        hand_over.send(runtime.block_on(connect(address))).unwrap();
    });
    let connection = handed.recv().unwrap();
    other.join().unwrap();
    let error = bounded(call(&connection)).await.unwrap_err();
    assert_eq!(sent(&error), Sent::Never);
}

#[test]
fn who_waits_for_a_stream_is_told_when_the_runtime_of_the_connection_is_gone() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build().unwrap()
    };
    let (theirs, ours) = (runtime(), runtime());
    let no_stream = RawScript::new().max_concurrent_streams(0);
    let server = ours.block_on(RawH2::serve(no_stream));
    let connection = theirs.block_on(connect(server.address()));
    // It allows no stream.
    ours.block_on(until(&connection, State::Idle));
    let mut waits = tokio_test::task::spawn(connection.oneshot(request()));
    let within = ours.enter();
    assert!(waits.poll().is_pending());
    theirs.shutdown_background();
    drop(within);
    let error = ours.block_on(bounded(waits)).unwrap_err();
    assert_eq!(sent(&error), Sent::Never);
}
