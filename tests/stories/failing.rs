//! What breaks, and what the caller sees of it: nothing, or the right code.

use crate::house::{House, hello};
use std::{num::NonZeroU32, time::Duration};
use tonic::Code;
use ziggurat::{
    breaker,
    client::{ChannelSettings, RequestExt, Ziggurat},
    core::{Deadline, Rejection, State, clock, error},
    retry,
};
use ziggurat_testkit::{Behaviour, EchoClient, EchoServer, RefusingAddress};

#[tokio::test]
async fn a_server_that_is_killed_costs_no_idempotent_call() {
    let house = House::of(3).await;
    let mut client = EchoClient::new(house.ziggurat().channel("echo"));
    for call in 0..300 {
        if call == 100 {
            house.servers[0].kill().await;
        }
        client.unary(hello().idempotent()).await.unwrap();
    }
}

#[tokio::test]
async fn a_dead_endpoint_among_three_costs_no_call() {
    let mut house = House::of(2).await;
    let refusing = RefusingAddress::new();
    let dead = ziggurat::core::Instance::at("echo", refusing.address()).unwrap();
    let _registration = house.registry.register(dead).await.unwrap();
    house.join().await;
    let mut client = EchoClient::new(house.ziggurat().channel("echo"));
    for _ in 0..3_000 {
        client.unary(hello()).await.unwrap();
    }
}

#[tokio::test]
async fn an_endpoint_that_fails_at_once_attracts_no_load() {
    for behaviour in [
        Behaviour::Fail(Code::Unavailable),
        Behaviour::FailLate(Code::Unavailable),
    ] {
        let house = House::of(5).await;
        for server in &house.servers {
            server.latency(Duration::from_millis(1));
        }
        house.servers[2].behave(behaviour);
        let mut client = EchoClient::new(house.ziggurat().channel("echo"));
        for _ in 0..500 {
            let _ = client.unary(hello().idempotent()).await;
        }
        let arrived = house.arrived();
        let all: u64 = arrived.iter().sum();
        assert!(arrived[2] * 20 <= all, "5 % at most: {arrived:?}");
    }
}

#[tokio::test]
async fn the_second_attempt_goes_to_the_other_server() {
    let house = House::of(2).await;
    house.servers[0].behave(Behaviour::Fail(Code::Unavailable));
    let mut client = EchoClient::new(house.ziggurat().channel("echo"));
    for _ in 0..200 {
        let reply = client.unary(hello()).await.unwrap().into_inner();
        assert_eq!(reply.server, "echo-1");
    }
}

#[tokio::test]
async fn a_server_that_stops_answering_costs_no_idempotent_call() {
    let house = House::of(3).await;
    let mut client = EchoClient::new(house.ziggurat().channel("echo"));
    house.servers[1].behave(Behaviour::Stall);
    for _ in 0..100 {
        let request = hello()
            .idempotent()
            .with_timeout(Duration::from_millis(900));
        client.unary(request).await.unwrap();
    }
    assert!(house.arrived()[1] <= 20, "{:?}", house.arrived());
}

/// Each has connections of its own, which grow old under its load and no other.
#[tokio::test]
async fn for_ten_seconds_connections_of_300_ms_cost_no_call_one_by_one_or_at_once() {
    const TEN: Duration = Duration::from_secs(10);
    let age = Duration::from_millis(300);
    let setup = EchoServer::setup().name("old").max_connection_age(age);
    let server = setup.start().await;
    server.latency(Duration::from_millis(2));
    let mut house = House::of(0).await;
    house.register("old", &server).await;
    let end = Deadline::after(TEN);
    let load = |at_once: usize| {
        let channel = house.ziggurat().channel("echo");
        let calls = (0..at_once).map(move |_| {
            let mut client = EchoClient::new(channel.clone());
            async move {
                let mut calls = 0;
                while !end.is_over(clock::now()) {
                    client.unary(hello()).await.unwrap();
                    calls += 1;
                }
                calls
            }
        });
        futures_util::future::join_all(calls)
    };
    let (one_by_one, at_once) = tokio::join!(load(1), load(16));
    let accepted = server.counts().accepted;
    // 66 if nothing else ran on this machine.
    assert!(accepted >= 20, "{accepted} connections");
    let calls: [u32; 2] = [one_by_one.iter().sum(), at_once.iter().sum()];
    assert!(calls[0] >= 100 && calls[1] >= 1_000, "{calls:?}");
}

#[tokio::test]
async fn connections_of_a_bounded_age_cost_no_call() {
    let mut house = House::of(0).await;
    let mut servers = Vec::new();
    for name in ["a", "b"] {
        let age = Duration::from_millis(100);
        let server = EchoServer::setup()
            .name(name)
            .max_connection_age(age)
            .start()
            .await;
        house.register(name, &server).await;
        servers.push(server);
    }
    let channel = house.ziggurat().channel("echo");
    let calls = (0..8).map(|_| {
        let mut client = EchoClient::new(channel.clone());
        async move {
            for _ in 0..250 {
                client.unary(hello()).await.unwrap();
            }
        }
    });
    futures_util::future::join_all(calls).await;
    let accepted: usize = servers.iter().map(|server| server.counts().accepted).sum();
    assert!(accepted >= 2);
}

#[tokio::test]
async fn a_removed_endpoint_finishes_its_call() {
    let house = House::of(1).await;
    let server = &house.servers[0];
    server.latency(Duration::from_millis(200));
    let other = EchoServer::setup().name("other").start().await;
    let address = other.address();
    let channel = house.ziggurat().channel("echo");
    let mut client = EchoClient::new(channel.clone());
    let call = client.unary(hello());
    let replace = async {
        server.until(|counts| counts.arrived == 1).await;
        let host = address.ip().to_string();
        let moved = ziggurat::core::Instance::new("echo", "echo-0", &host, address.port());
        // The same id at another address: the old connection drains.
        house.registry.register(moved.unwrap()).await.unwrap()
    };
    let (answer, _registration) = tokio::join!(call, replace);
    assert_eq!(answer.unwrap().into_inner().server, "echo-0");
    server.until(|counts| counts.connections == 0).await;
    assert_eq!(
        client.unary(hello()).await.unwrap().into_inner().server,
        "other"
    );
}

#[tokio::test]
async fn when_all_servers_fail_no_call_is_refused_for_half_of_them_stay() {
    let house = House::of(4).await;
    // So many calls are not made: what is seen is not the breaker's work.
    let breaker = breaker::Settings::default().minimum_calls(60_000).unwrap();
    let breaker = breaker.consecutive_failures(None).unwrap();
    let settings = ChannelSettings::new()
        .breaker(breaker)
        .retry(retry::Settings::new().attempts(NonZeroU32::MIN));
    let ziggurat = house.ziggurat().settings(settings);
    let channel = ziggurat.channel("echo");
    let mut client = EchoClient::new(channel.clone());
    client.unary(hello()).await.unwrap();
    for server in &house.servers {
        server.behave(Behaviour::Fail(Code::Unavailable));
    }
    for _ in 0..200 {
        client.unary(hello()).await.unwrap_err();
    }
    assert_eq!(house.arrived().iter().sum::<u64>(), 201, "none is refused");
    let ejected = || {
        let endpoints = channel.endpoints().into_iter();
        endpoints
            .filter(|one| one.state() == State::Ejected)
            .count()
    };
    assert_eq!(ejected(), 2, "half of them, and no more");
    for server in &house.servers {
        server.behave(Behaviour::Healthy);
    }
    for _ in 0..20 {
        client.unary(hello()).await.unwrap();
    }
}

#[tokio::test]
async fn an_open_circuit_says_so_and_heals_under_the_same_client() {
    let house = House::of(1).await;
    let open_for = Duration::from_millis(200);
    let breaker = breaker::Settings::default()
        .consecutive_failures(5)
        .unwrap();
    let breaker = breaker.open_for(open_for).unwrap();
    let settings = ChannelSettings::new()
        .breaker(breaker)
        .retry(retry::Settings::new().attempts(NonZeroU32::MIN));
    let ziggurat = Ziggurat::new(house.registry.clone()).service("echo", settings);
    let mut client = EchoClient::new(ziggurat.channel("echo"));
    client.unary(hello()).await.unwrap();

    house.servers[0].behave(Behaviour::Fail(Code::Internal));
    for _ in 0..5 {
        assert_eq!(
            client.unary(hello()).await.unwrap_err().code(),
            Code::Internal
        );
    }
    let status = client.unary(hello()).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "circuit open")
    );
    assert!(status.metadata().get("grpc-retry-pushback-ms").is_some());
    assert!(error::find::<breaker::Open>(&status).is_some());
    assert!(
        error::find::<Rejection>(&status)
            .unwrap()
            .retry_after()
            .unwrap()
            <= open_for * 2
    );
    assert_eq!(house.arrived(), [6]);

    house.servers[0].behave(Behaviour::Healthy);
    while client.unary(hello()).await.is_err() {
        tokio::time::sleep(open_for / 4).await;
    }
}
