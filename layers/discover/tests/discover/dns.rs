//! Instances by DNS, asked of a real server on loopback.

use crate::{
    dns_server::{LONG, MS, Server, next, port, srv},
    support::{Fake, Log},
};
use futures_util::StreamExt;
use hickory_resolver::proto::op::ResponseCode;
use tokio::time::{Instant, timeout};
use tower::Layer;
use ziggurat_core::{Resolve, State};
use ziggurat_discover::{DiscoverLayer, Feedback, dns::Records};

#[tokio::test]
async fn addresses_of_both_kinds_are_instances_in_order_and_only_news_is_told() {
    let server = Server::start().await;
    server.addresses("echo.test.", 0, &["10.0.0.2", "::1", "10.0.0.1"]);
    let mut changes = server.dns(port(80)).resolve("echo");
    let first = ["10.0.0.1:80", "10.0.0.2:80", "[::1]:80"];
    assert_eq!(next(&mut changes).await.unwrap(), first);
    // The same in another order is the same.
    server.addresses("echo.test.", 0, &["10.0.0.1", "10.0.0.2", "::1"]);
    let asked = server.asked();
    let mut second = Box::pin(next(&mut changes));
    tokio::select! {
        said = &mut second => panic!("{said:?}"),
        () = server.until_asked(asked + 3) => {}
    }
    server.addresses("echo.test.", 0, &["10.0.0.3"]);
    assert_eq!(second.await.unwrap(), ["10.0.0.3:80"]);
}

#[tokio::test]
async fn addresses_of_a_kind_that_cannot_be_looked_up_stay_and_are_asked_for_soon() {
    let server = Server::start().await;
    server.addresses("echo.test.", 1, &["10.0.0.1", "::1"]);
    for records in [port(80), Records::Services] {
        server.set("_grpc._tcp.echo.test.", 1, [srv(1, 1, 80, "echo.test.")]);
        server.addresses("echo.test.", 1, &["10.0.0.1", "::1"]);
        let mut changes = server.dns(records).resolve("echo");
        assert_eq!(
            next(&mut changes).await.unwrap(),
            ["10.0.0.1:80", "[::1]:80"]
        );
        server.fail_kind("A", Some(ResponseCode::ServFail));
        server.addresses("echo.test.", 3_600, &["::1", "::2"]);
        let all = ["10.0.0.1:80", "[::1]:80", "[::2]:80"];
        assert_eq!(next(&mut changes).await.unwrap(), all);
        server.fail_kind("A", None);
        let less = ["[::1]:80", "[::2]:80"];
        assert_eq!(next(&mut changes).await.unwrap(), less);
    }
}

#[tokio::test]
async fn it_is_asked_again_when_the_time_to_live_is_over_within_bounds() {
    let server = Server::start().await;
    // The time to live in seconds; the bounds, and when it is asked again, in milliseconds.
    for (ttl, least, most, again) in [
        (1, 50, 20_000, 1_000),
        (0, 150, 20_000, 150),
        (3_600, 50, 250, 250),
    ] {
        server.addresses("echo.test.", ttl, &["10.0.0.1"]);
        let dns = server.dns(port(80));
        let dns = dns.refresh_every(least * MS, most * MS).unwrap();
        let mut changes = dns.resolve("echo");
        let before = server.asked();
        let start = Instant::now();
        next(&mut changes).await.unwrap();
        tokio::select! {
            _ = changes.next() => panic!("nothing has changed"),
            () = server.until_asked(before + 2) => {}
        }
        let gap = start.elapsed();
        assert!(gap >= again * MS, "{ttl} s: {gap:?}");
        assert!(gap < again * MS + LONG / 2, "{ttl} s: {gap:?}");
    }
}

#[tokio::test]
async fn services_bring_their_ports_and_weights_and_the_lowest_priority_counts() {
    let server = Server::start().await;
    let records = [
        srv(2, 1, 9, "spare.test."),
        srv(1, 30, 81, "a.test."),
        srv(1, 0, 82, "b.test."),
        srv(1, 5, 0, "b.test."),
    ];
    server.set("_grpc._tcp.echo.test.", 0, records);
    server.addresses("a.test.", 0, &["10.0.0.1", "::1"]);
    server.addresses("b.test.", 0, &["10.0.0.2"]);
    server.addresses("spare.test.", 0, &["10.0.0.9"]);
    let mut changes = server.dns(Records::Services).resolve("echo");
    let first = ["10.0.0.1:81*30", "10.0.0.2:82", "[::1]:81*30"];
    assert_eq!(next(&mut changes).await.unwrap(), first, "port 0 cannot be");
    let nowhere = [srv(0, 0, 0, ".")];
    server.set("_grpc._tcp.echo.test.", 0, nowhere);
    assert!(next(&mut changes).await.unwrap().is_empty());
}

#[tokio::test]
async fn services_of_the_next_priority_are_used_when_none_of_the_best_has_an_address() {
    let server = Server::start().await;
    let records = [
        srv(3, 0, 83, "last.test."),
        srv(2, 0, 82, "spare.test."),
        srv(1, 0, 81, "best.test."),
    ];
    server.set("_grpc._tcp.echo.test.", 0, records);
    server.addresses("spare.test.", 0, &["10.0.0.2"]);
    server.addresses("last.test.", 0, &["10.0.0.3"]);
    let mut changes = server.dns(Records::Services).resolve("echo");
    assert_eq!(next(&mut changes).await.unwrap(), ["10.0.0.2:82"]);
    server.addresses("best.test.", 0, &["10.0.0.1"]);
    assert_eq!(next(&mut changes).await.unwrap(), ["10.0.0.1:81"]);
    server.addresses("best.test.", 0, &[]);
    server.addresses("spare.test.", 0, &[]);
    assert_eq!(next(&mut changes).await.unwrap(), ["10.0.0.3:83"]);
}

#[tokio::test]
async fn services_of_the_next_priority_are_used_while_none_of_the_best_can_be_called() {
    let server = Server::start().await;
    let records = [srv(2, 0, 82, "spare.test."), srv(1, 0, 81, "best.test.")];
    server.set("_grpc._tcp.echo.test.", 0, records);
    server.addresses("best.test.", 0, &["10.0.0.1"]);
    server.addresses("spare.test.", 0, &["10.0.0.2"]);
    let feedback = Feedback::default();
    let dns = server.dns(Records::Services).feedback(feedback.clone());
    let layer = DiscoverLayer::new(dns, "echo").feedback(feedback);
    let mut endpoints = layer.layer(Log::default());
    let mut event = async || match timeout(LONG, endpoints.next()).await.unwrap() {
        Some(Ok(tower::discover::Change::Insert(id, fake))) => {
            (id.to_string(), Some(fake.get_ref().clone()))
        }
        Some(Ok(tower::discover::Change::Remove(id))) => (id.to_string(), None),
        None => panic!("it never ends"),
    };
    let (id, best) = event().await;
    assert_eq!(id, "10.0.0.1:81");
    let best: Fake = best.unwrap();
    best.says(State::Down);
    // The best stays, to be seen when it is back.
    let (id, spare) = event().await;
    assert_eq!(id, "10.0.0.2:82");
    assert!(spare.is_some());
    best.says(State::Ready);
    let (id, gone) = event().await;
    assert_eq!(id, "10.0.0.2:82");
    assert!(gone.is_none());
}

#[tokio::test]
async fn services_in_another_order_are_the_same_also_where_two_are_at_one_place() {
    let server = Server::start().await;
    let mut records = [
        srv(1, 3, 81, "a.test."),
        srv(1, 7, 81, "b.test."),
        srv(1, 5, 82, "b.test."),
    ];
    server.set("_grpc._tcp.echo.test.", 0, records.clone());
    server.addresses("a.test.", 0, &["10.0.0.1"]);
    server.addresses("b.test.", 0, &["10.0.0.1"]);
    let mut changes = server.dns(Records::Services).resolve("echo");
    let first = ["10.0.0.1:81*3", "10.0.0.1:82*5"];
    assert_eq!(next(&mut changes).await.unwrap(), first);
    let mut second = Box::pin(next(&mut changes));
    for _ in 0..2 {
        records.rotate_left(1);
        server.set("_grpc._tcp.echo.test.", 0, records.clone());
        let asked = server.asked();
        tokio::select! {
            said = &mut second => panic!("{said:?}"),
            () = server.until_asked(asked + 9) => {}
        }
    }
}

#[tokio::test]
async fn a_target_that_cannot_be_looked_up_stays_where_it_was_at_all_its_ports() {
    let server = Server::start().await;
    let records = [srv(1, 1, 81, "a.test."), srv(1, 1, 82, "a.test.")];
    server.set("_grpc._tcp.echo.test.", 0, records);
    server.addresses("a.test.", 0, &["10.0.0.1"]);
    let mut changes = server.dns(Records::Services).resolve("echo");
    let both = ["10.0.0.1:81", "10.0.0.1:82"];
    assert_eq!(next(&mut changes).await.unwrap(), both);
    server.fail_for("a.test.", Some(ResponseCode::ServFail));
    let asked = server.asked();
    let mut second = Box::pin(next(&mut changes));
    tokio::select! {
        said = &mut second => panic!("{said:?}"),
        () = server.until_asked(asked + 6) => {}
    }
    server.fail_for("a.test.", None);
    server.addresses("a.test.", 0, &["10.0.0.2"]);
    let moved = ["10.0.0.2:81", "10.0.0.2:82"];
    assert_eq!(second.await.unwrap(), moved);
}

#[tokio::test]
async fn a_target_that_could_not_be_looked_up_is_asked_for_soon() {
    let server = Server::start().await;
    let records = [srv(1, 1, 81, "a.test."), srv(1, 1, 82, "b.test.")];
    server.set("_grpc._tcp.echo.test.", 3_600, records);
    server.addresses("a.test.", 3_600, &["10.0.0.1"]);
    server.addresses("b.test.", 3_600, &["10.0.0.2"]);
    server.fail_for("b.test.", Some(ResponseCode::ServFail));
    let mut changes = server.dns(Records::Services).resolve("echo");
    assert_eq!(next(&mut changes).await.unwrap(), ["10.0.0.1:81"]);
    server.fail_for("b.test.", None);
    let both = ["10.0.0.1:81", "10.0.0.2:82"];
    assert_eq!(next(&mut changes).await.unwrap(), both);
}

#[tokio::test]
async fn an_address_that_is_said_in_both_kinds_is_one_instance() {
    let server = Server::start().await;
    server.addresses("echo.test.", 0, &["10.0.0.1", "::ffff:10.0.0.1"]);
    let mut changes = server.dns(port(80)).resolve("echo");
    assert_eq!(next(&mut changes).await.unwrap(), ["10.0.0.1:80"]);
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_asked_for_again_by_tcp() {
    let server = Server::start().await;
    server.zone.lock().unwrap().truncates = true;
    server.addresses("echo.test.", 0, &["10.0.0.1", "10.0.0.2"]);
    let mut changes = server.dns(port(80)).resolve("echo");
    let whole = ["10.0.0.1:80", "10.0.0.2:80"];
    assert_eq!(next(&mut changes).await.unwrap(), whole);
}

#[tokio::test]
async fn who_asks_during_an_answer_is_answered_by_another() {
    let server = Server::start().await;
    server.addresses("echo.test.", 3_600, &["10.0.0.1"]);
    server.zone.lock().unwrap().slow = 100 * MS;
    let dns = server.dns(port(80));
    let mut changes = dns.resolve("echo");
    let first = async {
        server.until_asked(1).await;
        dns.refresh();
    };
    let (said, ()) = tokio::join!(next(&mut changes), first);
    assert_eq!(said.unwrap(), ["10.0.0.1:80"]);
    server.addresses("echo.test.", 3_600, &["10.0.0.2"]);
    assert_eq!(next(&mut changes).await.unwrap(), ["10.0.0.2:80"]);
}

#[tokio::test]
async fn a_name_without_addresses_is_an_empty_set_and_a_failing_server_is_trouble() {
    let server = Server::start().await;
    let mut changes = server.dns(port(80)).resolve("echo");
    assert!(next(&mut changes).await.unwrap().is_empty(), "no such name");
    server.addresses("echo.test.", 0, &["10.0.0.1"]);
    assert_eq!(next(&mut changes).await.unwrap(), ["10.0.0.1:80"]);
    server.fail(Some(ResponseCode::ServFail));
    next(&mut changes).await.unwrap_err();
    let start = Instant::now();
    for _ in 0..2 {
        next(&mut changes).await.unwrap_err();
    }
    assert!(start.elapsed() >= 140 * MS, "50 ms and 100 ms of backoff");
    server.fail(None);
    server.addresses("echo.test.", 0, &["10.0.0.2"]);
    assert_eq!(next(&mut changes).await.unwrap(), ["10.0.0.2:80"]);
}

#[tokio::test]
async fn who_is_asked_to_asks_at_once_but_never_too_often() {
    let server = Server::start().await;
    server.addresses("echo.test.", 3_600, &["10.0.0.1"]);
    let dns = server.dns(port(80));
    let dns = dns.refresh_every(200 * MS, LONG).unwrap();
    let mut changes = dns.resolve("echo");
    next(&mut changes).await.unwrap();
    let start = Instant::now();
    server.addresses("echo.test.", 3_600, &["10.0.0.2"]);
    let asking = async {
        loop {
            dns.refresh();
            tokio::time::sleep(MS).await;
        }
    };
    tokio::select! {
        said = next(&mut changes) => assert_eq!(said.unwrap(), ["10.0.0.2:80"]),
        () = asking => {}
    }
    assert!(start.elapsed() >= 190 * MS, "{:?}", start.elapsed());
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn when_no_endpoint_can_be_called_it_is_asked_again() {
    let server = Server::start().await;
    server.addresses("echo.test.", 3_600, &["10.0.0.1", "10.0.0.2"]);
    let feedback = Feedback::default();
    let dns = server.dns(port(80)).feedback(feedback.clone());
    let layer = DiscoverLayer::new(dns, "echo").feedback(feedback);
    let mut endpoints = layer.layer(Log::default());
    let mut fakes: Vec<Fake> = Vec::new();
    let mut insert = async |fakes: &mut Vec<Fake>| {
        let event = timeout(LONG, endpoints.next()).await.unwrap();
        if let Some(Ok(tower::discover::Change::Insert(_, fake))) = event {
            fakes.push(fake.get_ref().clone());
        }
    };
    insert(&mut fakes).await;
    insert(&mut fakes).await;
    let asked = server.asked();
    server.addresses("echo.test.", 3_600, &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    fakes[0].says(State::Down);
    assert!(timeout(200 * MS, insert(&mut fakes)).await.is_err());
    assert_eq!(server.asked(), asked, "one is enough");
    fakes[1].says(State::Ejected);
    insert(&mut fakes).await;
    assert_eq!(fakes.len(), 3);
    assert_eq!(server.asked(), asked + 1);
}

#[tokio::test]
async fn a_name_that_vanishes_is_held_by_the_guard() {
    let server = Server::start().await;
    server.addresses("echo.test.", 0, &["10.0.0.1"]);
    let layer = DiscoverLayer::new(server.dns(port(80)), "echo").grace(1_000 * MS);
    let mut endpoints = layer.layer(Log::default());
    timeout(LONG, endpoints.next()).await.unwrap();
    server.zone.lock().unwrap().records.clear();
    let start = Instant::now();
    let gone = timeout(LONG, endpoints.next()).await.unwrap();
    assert!(matches!(gone, Some(Ok(tower::discover::Change::Remove(_)))));
    assert!(start.elapsed() >= 990 * MS);
}
