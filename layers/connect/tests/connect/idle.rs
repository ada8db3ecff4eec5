//! Endpoints that nobody calls for long, in virtual time.

use crate::support::{Bytesful, MS, Plain, call, eventually, finish, make, quick, request, until};
use std::time::Duration;
use tokio::task::JoinSet;
use tower::{ServiceExt, service_fn};
use ziggurat_connect::Connection;
use ziggurat_core::{BoxError, Code, Endpoint, Instance, State};
use ziggurat_testkit::{Behaviour, EchoServer};

const MINUTE: Duration = Duration::from_secs(60);

async fn connect(server: &EchoServer) -> Connection<Bytesful> {
    let pipes = server.clone();
    let dial = service_fn(move |_: Instance| {
        let pipe = pipes.dial_in_memory();
        async move { Ok::<_, BoxError>(pipe) }
    });
    let settings = quick().idle_close(MINUTE).unwrap();
    let address = ([127, 0, 0, 1], 1).into();
    let connection = make(Plain::new(settings).transport(dial), address).await;
    until(&connection, State::Ready).await;
    connection
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_calls_is_closed_and_made_again_by_the_next() {
    let server = EchoServer::in_memory();
    let connection = connect(&server).await;
    for times in 1..=3 {
        finish(call(&connection).await).await.unwrap();
        tokio::time::sleep(MINUTE - MS).await;
        assert_eq!(connection.availability().state(), State::Ready);
        until(&connection, State::Idle).await;
        eventually(|| server.counts().connections == 0).await;
        assert_eq!(server.counts().accepted, times);
        tokio::time::sleep(60 * MINUTE).await;
        assert_eq!(connection.availability().state(), State::Idle);
    }
    let ended = finish(call(&connection).await).await.unwrap();
    assert_eq!(ended, Some(Code::Ok));
    assert!(connection.availability().is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_comes_as_its_connection_is_closed_for_idleness_is_answered() {
    let server = EchoServer::in_memory();
    let connection = connect(&server).await;
    let mut closed = 0;
    for n in 0..200 {
        // Around the time when it closes, and at that very moment.
        tokio::time::sleep(MINUTE + MINUTE / 4 - 100 * MS + n * MS).await;
        for _ in 0..n % 5 {
            tokio::task::yield_now().await;
        }
        let accepted = server.counts().accepted;
        let ended = finish(call(&connection).await).await.unwrap();
        assert_eq!(ended, Some(Code::Ok));
        closed += server.counts().accepted - accepted;
    }
    assert!((1..200).contains(&closed), "{closed}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_a_call_is_not_idle_however_quiet_it_is() {
    let server = EchoServer::in_memory();
    let connection = connect(&server).await;
    server.behave_next(1, Behaviour::StallBody);
    let answer = call(&connection).await.unwrap();
    tokio::time::sleep(60 * MINUTE).await;
    assert_eq!(connection.availability().state(), State::Ready);
    drop(answer);
    until(&connection, State::Idle).await;
}

#[tokio::test(start_paused = true)]
async fn many_who_call_an_idle_endpoint_connect_it_once() {
    let server = EchoServer::in_memory();
    let connection = connect(&server).await;
    until(&connection, State::Idle).await;
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let call = connection.clone().oneshot(request());
        calls.spawn(async move { finish(call.await).await.unwrap() });
    }
    while let Some(ended) = calls.join_next().await {
        assert_eq!(ended.unwrap(), Some(Code::Ok));
    }
    assert_eq!(server.counts().accepted, 2);
}

#[tokio::test(start_paused = true)]
async fn an_idle_endpoint_without_handles_is_forgotten() {
    let server = EchoServer::in_memory();
    let connection = connect(&server).await;
    until(&connection, State::Idle).await;
    drop(connection);
    tokio::time::sleep(MINUTE).await;
    assert_eq!(server.counts().connections, 0);
    assert_eq!(server.counts().accepted, 1);
}
