//! More calls than a server takes on one connection.

use crate::support::{
    Bytesful, MS, Plain, bounded, connect, eventually, finish, make, quick, request, until,
};
use http::HeaderValue;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tower::{ServiceExt, service_fn};
use ziggurat_connect::{Connection, Settings};
use ziggurat_core::{BoxError, Code, Deadline, Endpoint, Instance, State};
use ziggurat_testkit::{Act, Behaviour, EchoServer, RawH2, RawScript};

pub(crate) type Calls = JoinSet<Result<Option<Code>, BoxError>>;

fn up_to(more: u8) -> Settings {
    quick().more_connections(more).unwrap()
}

pub(crate) async fn connected(settings: Settings, address: SocketAddr) -> Connection<Bytesful> {
    let connection = make(Plain::new(settings), address).await;
    until(&connection, State::Ready).await;
    connection
}

/// So many calls, numbered, in order.
pub(crate) fn calls(connection: &Connection<Bytesful>, count: u32) -> Calls {
    let mut calls = JoinSet::new();
    for n in 0..count {
        let mut request = request();
        request.headers_mut().insert("n", n.into());
        let connection = connection.clone();
        calls.spawn(async move { finish(connection.oneshot(request).await).await });
    }
    calls
}

async fn all_answered(mut calls: Calls) {
    while let Some(ended) = calls.join_next().await {
        assert_eq!(ended.unwrap().unwrap(), Some(Code::Ok));
    }
}

#[tokio::test]
async fn calls_that_wait_for_a_stream_get_a_second_connection_and_no_third() {
    bounded(async {
        let server = EchoServer::setup().max_concurrent_streams(2).start().await;
        server.behave(Behaviour::Stall);
        let connection = connected(Settings::default(), server.address()).await;
        let _calls = calls(&connection, 6);
        server.until(|counts| counts.in_flight == 4).await;
        for _ in 0..20 {
            tokio::time::sleep(MS).await;
            let counts = server.counts();
            assert_eq!((counts.accepted, counts.in_flight), (2, 4));
        }
    })
    .await;
}

#[tokio::test]
async fn as_many_connections_are_made_as_are_allowed_and_needed() {
    bounded(async {
        let server = EchoServer::setup().max_concurrent_streams(1).start().await;
        server.behave(Behaviour::Stall);
        let connection = connected(up_to(9), server.address()).await;
        let _three = calls(&connection, 3);
        server.until(|counts| counts.in_flight == 3).await;
        assert_eq!(server.counts().accepted, 3);
        let _many = calls(&connection, 30);
        server.until(|counts| counts.in_flight == 10).await;
        assert_eq!(server.counts().accepted, 10);
    })
    .await;
}

#[tokio::test]
async fn who_waits_is_served_in_order_by_all_connections() {
    bounded(async {
        let server = EchoServer::setup().max_concurrent_streams(1).start().await;
        server.record(true);
        server.latency(2 * MS);
        let connection = connected(up_to(1), server.address()).await;
        all_answered(calls(&connection, 20)).await;
        let came: Vec<_> = server.recorded().iter().map(|h| h["n"].clone()).collect();
        // Two that go out at a time may overtake one another on the way, on two connections.
        for (place, n) in came.iter().enumerate() {
            let near = (place.saturating_sub(2)..=place + 2).map(|n| HeaderValue::from(n as u64));
            assert!(near.into_iter().any(|near| near == n), "{came:?}");
        }
        assert_eq!(server.counts().accepted, 2);
    })
    .await;
}

#[tokio::test]
async fn a_deadline_holds_while_a_second_connection_is_not_to_be_had() {
    bounded(async {
        let server = EchoServer::setup().max_concurrent_streams(1).start().await;
        server.behave(Behaviour::Stall);
        let address = server.address();
        let first = std::sync::atomic::AtomicBool::new(true);
        let first = std::sync::Arc::new(first);
        let once = service_fn(move |_: Instance| {
            let first = first.swap(false, std::sync::atomic::Ordering::Relaxed);
            async move {
                match first {
                    true => Ok(TcpStream::connect(address).await?),
                    false => Err(BoxError::from("only one")),
                }
            }
        });
        let connection = make(Plain::new(up_to(1)).transport(once), address).await;
        until(&connection, State::Ready).await;
        let _held = calls(&connection, 1);
        server.until(|counts| counts.in_flight == 1).await;
        let mut late = request();
        late.extensions_mut().insert(Deadline::after(40 * MS));
        let error = connection.clone().oneshot(late).await.unwrap_err();
        assert!(ziggurat_core::error::find::<ziggurat_connect::TooLate>(&*error).is_some());
        // The endpoint is as well as before.
        assert_eq!(connection.availability().state(), State::Ready);
    })
    .await;
}

#[tokio::test]
async fn a_second_connection_that_is_lost_takes_nobody_with_it_who_waits() {
    bounded(async {
        let one = || RawScript::new().max_concurrent_streams(1);
        let goes = one().after(1, Act::AnswerAll(0)).then(Act::GoAway {
            last_stream: 1,
            code: 0,
        });
        // The first holds its call; each further one answers one call and goes.
        let server = RawH2::serve_each([one(), goes]).await;
        let connection = connected(up_to(1), server.address()).await;
        let mut calls = calls(&connection, 6);
        for _ in 0..5 {
            let ended = calls.join_next().await.unwrap().unwrap();
            assert_eq!(ended.unwrap(), Some(Code::Ok));
        }
        let streams = server.streams();
        assert_eq!(streams[0], [1]);
        assert!(streams[1..].iter().all(|one| one.len() <= 1), "{streams:?}");
    })
    .await;
}

#[tokio::test]
async fn a_second_connection_that_the_peer_hangs_up_on_is_backed_off_from() {
    bounded(async {
        let one = || RawScript::new().max_concurrent_streams(1);
        let hangs_up = [
            one().after(0, Act::Close),
            one().after(0, Act::Wait(3 * MS)).then(Act::Close),
        ];
        for hangs_up in hangs_up {
            // The first holds its call; whoever waits wants another, and may be cut off on it.
            let server = RawH2::serve_each([one(), hangs_up]).await;
            let connection = connected(up_to(1), server.address()).await;
            let _calls = calls(&connection, 12);
            let begun = ziggurat_core::clock::now();
            eventually(|| server.streams().len() >= 7).await;
            // After 20, 40, 80, 160 and 320 ms.
            let took = begun.elapsed();
            assert!(took >= 610 * MS, "{took:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn connections_of_a_certain_age_are_replaced_under_a_crowd() {
    bounded(async {
        let server = EchoServer::setup()
            .max_concurrent_streams(2)
            .max_connection_age(60 * MS)
            .start()
            .await;
        server.latency(MS);
        let connection = connected(up_to(2), server.address()).await;
        let end = Deadline::after(600 * MS);
        let mut tasks = JoinSet::new();
        for _ in 0..12 {
            let connection = connection.clone();
            tasks.spawn(async move {
                while !end.is_over(ziggurat_core::clock::now()) {
                    if let Err(error) = finish(crate::support::call(&connection).await).await {
                        let sent = crate::support::sent(&error);
                        assert_ne!(sent, ziggurat_core::Sent::Unknown, "{error:?}");
                    }
                }
            });
        }
        tasks.join_all().await;
        let counts = server.counts();
        assert!(counts.accepted >= 6 && counts.finished > 100, "{counts:?}");
        drop(connection);
        eventually(|| server.counts().connections == 0).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_second_connection_is_closed_when_it_had_no_call_for_a_minute() {
    let server = EchoServer::setup().max_concurrent_streams(1).in_memory();
    let pipes = server.clone();
    let dial = service_fn(move |_: Instance| {
        let pipe = pipes.dial_in_memory();
        async move { Ok::<_, BoxError>(pipe) }
    });
    let address = ([127, 0, 0, 1], 1).into();
    let connection = make(Plain::new(up_to(1)).transport(dial), address).await;
    server.latency(10 * MS);
    all_answered(calls(&connection, 4)).await;
    assert_eq!(server.counts().connections, 2);
    // The first is used all the time.
    for _ in 0..90 {
        all_answered(calls(&connection, 1)).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(server.counts().connections, 1);
    all_answered(calls(&connection, 4)).await;
    assert_eq!(server.counts().accepted, 3);
}

#[tokio::test]
async fn who_waits_for_a_connection_is_sent_in_the_order_of_coming() {
    const CALLS: usize = 100;
    bounded(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connection = connect(listener.local_addr().unwrap()).await;
        let mut calls = JoinSet::new();
        for n in 0..CALLS {
            let (connection, mut request) = (connection.clone(), request());
            *request.uri_mut() = format!("/{n}").parse().unwrap();
            calls.spawn(connection.oneshot(request));
        }
        tokio::task::yield_now().await;
        let (socket, _) = listener.accept().await.unwrap();
        let mut server = h2::server::handshake(socket).await.unwrap();
        for n in 0..CALLS {
            let (request, _) = server.accept().await.unwrap().unwrap();
            assert_eq!(request.uri().path(), format!("/{n}"));
        }
    })
    .await;
}
