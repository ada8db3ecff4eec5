//! Calls that find nobody ready.

use crate::feed::{Node, feed, found, spawn};
use http::Request;
use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};
use tokio::{sync::Semaphore, time::Instant};
use tower::{Layer, Service, ServiceExt};
use ziggurat_balance::{BalanceLayer, NoEndpoints, Settings};
use ziggurat_core::{CallOptions, Code, Deadline, Endpoint, Grpc, Rejection, State, error};
use ziggurat_testkit::{Gate, HttpScript, Step, Strict};

pub(crate) fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) fn script() -> HttpScript {
    HttpScript::new([Step::grpc("hi")])
}

pub(crate) fn request(options: CallOptions) -> Request<String> {
    let mut request = Request::new(String::new());
    request.extensions_mut().insert(options);
    request
}

pub(crate) fn code(error: &ziggurat_core::BoxError) -> Code {
    error::find::<NoEndpoints>(&**error).unwrap();
    error::find::<Rejection>(&**error).unwrap().code()
}

#[tokio::test(start_paused = true)]
async fn without_endpoints_a_call_ends_at_its_deadline() {
    for in_header in [false, true] {
        let (_feeder, feed) = feed::<Node<HttpScript>>();
        let service = BalanceLayer::p2c().layer(feed);
        let start = Instant::now();
        let mut request = request(CallOptions::new());
        if in_header {
            request
                .headers_mut()
                .insert("grpc-timeout", "100m".parse().unwrap());
        } else {
            request
                .extensions_mut()
                .insert(Deadline::after(millis(100)));
        }
        let error = service.oneshot(request).await.unwrap_err();
        assert_eq!(code(&error), Code::DeadlineExceeded);
        assert_eq!(error.to_string(), "no endpoints for echo");
        assert!((80..=120).contains(&start.elapsed().as_millis()));
    }
}

#[tokio::test(start_paused = true)]
async fn with_all_endpoints_pending_a_call_ends_at_its_deadline() {
    let strict = || Strict::around(script()).gate(&Gate::closed());
    let (_feeder, feed) = found([Node::new("a", strict()), Node::new("b", strict())]);
    let service = BalanceLayer::p2c().layer(feed);
    let start = Instant::now();
    let call = service
        .clone()
        .oneshot(request(CallOptions::new().timeout(millis(100))));
    let error = call.await.unwrap_err();
    assert_eq!(code(&error), Code::DeadlineExceeded);
    assert_eq!(error.to_string(), "no ready endpoint for echo: 2 busy");
    assert!((80..=120).contains(&start.elapsed().as_millis()));

    let start = Instant::now();
    let call = service
        .clone()
        .oneshot(request(CallOptions::new().timeout(millis(3_000))));
    assert_eq!(code(&call.await.unwrap_err()), Code::DeadlineExceeded);
    assert!(
        start.elapsed() >= millis(3_000),
        "busy is worth waiting for"
    );

    let start = Instant::now();
    let call = service.oneshot(request(CallOptions::new()));
    assert_eq!(code(&call.await.unwrap_err()), Code::Unavailable);
    assert!(start.elapsed() <= millis(1_010), "but not for ever");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_wait_for_ready_fails_fast_and_says_why() {
    let down = |id| Node::new(id, script()).reported(State::Down);
    let ejected = Node::new("d", script()).reported(State::Ejected);
    let (_feeder, feed) = found([down("a"), down("b"), down("c"), ejected]);
    let settings = Settings::new().fail_fast(millis(200));
    let service = BalanceLayer::p2c().settings(settings).layer(feed);
    let start = Instant::now();
    let error = service
        .clone()
        .oneshot(request(CallOptions::new()))
        .await
        .unwrap_err();
    assert_eq!(code(&error), Code::Unavailable);
    assert_eq!(
        error.to_string(),
        "no ready endpoint for echo: 3 down, 1 ejected"
    );
    assert_eq!(start.elapsed().as_millis(), 200);

    let options = CallOptions::new().wait_for_ready(true).timeout(millis(700));
    let error = service.oneshot(request(options)).await.unwrap_err();
    assert_eq!(code(&error), Code::DeadlineExceeded);
    assert!(start.elapsed() >= millis(900));
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_comes_or_recovers_serves_those_who_wait() {
    let (feeder, feed) = feed();
    let service = BalanceLayer::p2c().layer(feed);
    let options = CallOptions::new().wait_for_ready(true);
    let call = || spawn(service.clone().oneshot(request(options)));
    let waiting: Vec<_> = (0..10).map(|_| call()).collect();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let node = Node::new("a", script());
    feeder.insert(node.clone());
    for call in waiting {
        call.end().await.unwrap();
    }

    node.report(State::Down);
    let waiting: Vec<_> = (0..10).map(|_| call()).collect();
    tokio::time::sleep(Duration::from_secs(60)).await;
    node.report(State::Ready);
    for call in waiting {
        call.end().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_is_missed_however_it_races_with_a_call() {
    let options = CallOptions::new().wait_for_ready(true);
    for n in 0..2_000 {
        let node = Node::new("a", script()).reported(State::Connecting);
        let (feeder, feed) = feed();
        let service = BalanceLayer::p2c().layer(feed);
        if n % 2 == 0 {
            // The race is with the endpoint; otherwise it is with discovery, too.
            feeder.insert(node.clone());
            service.wait_until_ready(Duration::ZERO).await.unwrap_err();
        }
        let call = spawn(service.oneshot(request(options)));
        if n % 2 == 1 {
            feeder.insert(node.clone());
        }
        node.report(State::Ready);
        // Ends with an error, rather than never, when a wake-up is lost.
        let answer = tokio::time::timeout(Duration::from_secs(30), call.end()).await;
        answer.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_is_not_polling() {
    let gate = Gate::closed();
    let busy = Node::new("busy", Strict::around(script()).gate(&gate));
    let down = Node::new("down", Strict::around(script())).reported(State::Down);
    let (_feeder, feed) = found([busy, down]);
    let service = BalanceLayer::p2c().layer(feed);
    let call = service.oneshot(request(CallOptions::new().timeout(millis(1_000))));
    let mut call = pin!(call);
    let mut polls = 0;
    let result = poll_fn(|cx| {
        polls += 1;
        call.as_mut().poll(cx)
    });
    result.await.unwrap_err();
    assert!(polls <= 10, "{polls} polls");
    assert!(gate.polls() <= 20, "{} polls of an endpoint", gate.polls());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_being_made_is_worth_waiting_for() {
    let call = async |options: CallOptions, states: &[(u64, State)]| {
        let node = Node::new("a", script()).reported(State::Connecting);
        let down = Node::new("down", script()).reported(State::Down);
        let (_feeder, feed) = found([node.clone(), down]);
        let service = BalanceLayer::p2c().layer(feed);
        let start = Instant::now();
        let call = spawn(service.oneshot(request(options)));
        for (at, state) in states {
            tokio::time::sleep_until(start + millis(*at)).await;
            node.report(*state);
        }
        let code = call.end().await.err().map(|error| code(&error));
        (code, start.elapsed().as_millis())
    };
    let with_deadline = || CallOptions::new().timeout(millis(10_000));
    let (unavailable, late) = (Some(Code::Unavailable), Some(Code::DeadlineExceeded));
    let up = [(5_000, State::Ready)];
    assert_eq!(call(with_deadline(), &up).await, (None, 5_000));
    assert_eq!(call(CallOptions::new(), &up).await, (None, 5_000));
    assert_eq!(call(with_deadline(), &[]).await, (late, 10_000));
    assert_eq!(call(CallOptions::new(), &[]).await, (unavailable, 20_000));
    let failed = [(3_000, State::Down), (3_500, State::Connecting)];
    for options in [with_deadline(), CallOptions::new()] {
        let answer = call(options, &failed).await;
        assert_eq!(answer, (unavailable, 4_000), "once is enough");
    }
    let patient = with_deadline().wait_for_ready(true);
    assert_eq!(call(patient, &failed).await, (late, 10_000));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_makes_no_call_wait_for_nothing() {
    let (_feeder, feed) = feed::<Node<HttpScript>>();
    let start = Instant::now();
    let options = CallOptions::new().timeout(millis(10_000));
    let call = BalanceLayer::p2c().layer(feed).oneshot(request(options));
    assert_eq!(code(&call.await.unwrap_err()), Code::Unavailable);
    assert_eq!(start.elapsed(), millis(1_000));
}

#[tokio::test(start_paused = true)]
async fn a_call_may_wait_for_an_endpoint_for_ever() {
    let (_feeder, feed) = feed::<Node<HttpScript>>();
    let settings = Settings::new().fail_fast(Duration::MAX);
    let service = BalanceLayer::p2c().settings(settings).layer(feed);
    let call = service.oneshot(request(CallOptions::new()));
    let waited = tokio::time::timeout(millis(86_400_000), call).await;
    assert!(waited.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_ready_asks_again_where_getting_ready_failed() {
    let gate = Gate::default();
    let strict = || Strict::around(script()).gate(&gate);
    let (_feeder, feed) = found([Node::new("a", strict()), Node::new("b", strict())]);
    let service = BalanceLayer::p2c().layer(feed);
    service.wait_until_ready(millis(100)).await.unwrap();
    gate.fail_next(8);
    let start = Instant::now();
    let call = service.oneshot(request(CallOptions::new().wait_for_ready(true)));
    let late = tokio::time::timeout(millis(60_000), call).await;
    late.expect("it is asked again").unwrap();
    assert!(start.elapsed() > millis(10), "but not all the time");
}

#[tokio::test(start_paused = true)]
async fn getting_ready_that_fails_in_the_end_counts_like_one_that_fails_at_once() {
    let gate = Gate::closed();
    let strict = || Strict::around(script()).gate(&gate);
    let (_feeder, feed) = found([Node::new("a", strict()), Node::new("b", strict())]);
    let service = BalanceLayer::p2c().layer(feed);
    service.wait_until_ready(millis(100)).await.unwrap();
    let options = CallOptions::new().timeout(millis(1_000));
    let call = spawn(service.clone().oneshot(request(options)));
    tokio::time::sleep(millis(100)).await;
    gate.fail_next(2);
    gate.open();
    assert!(call.end().await.is_err());
    let failures = service.endpoints();
    let failures: Vec<_> = failures.iter().map(|one| one.failures()).collect();
    assert_eq!(failures, [1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_while_it_waits_gives_everything_back() {
    let permits = Arc::new(Semaphore::new(1));
    let strict = Strict::around(script()).permits(Arc::clone(&permits));
    let (_feeder, feed) = found([Node::new("a", strict)]);
    let service = BalanceLayer::p2c().layer(feed);
    service.wait_until_ready(millis(100)).await.unwrap();
    let taken = Arc::clone(&permits).acquire_owned().await.unwrap();
    for _ in 0..3 {
        let mut call = pin!(service.clone().oneshot(request(CallOptions::new())));
        poll_fn(|cx| {
            assert!(call.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    drop(taken);
    tokio::task::yield_now().await;
    assert_eq!(permits.available_permits(), 1);
    assert_eq!(service.endpoints()[0].pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_can_wait_until_an_endpoint_is_ready() {
    let (feeder, feed) = feed();
    let service = BalanceLayer::p2c().classify_with(Grpc).layer(feed);
    let start = Instant::now();
    let error = service.wait_until_ready(millis(50)).await.unwrap_err();
    assert_eq!((error.known(), start.elapsed()), (0, millis(50)));
    feeder.insert(Node::new("a", script()).reported(State::Connecting));
    let error = service.wait_until_ready(millis(50)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no ready endpoint for echo: 1 connecting"
    );
    let ready = spawn({
        let service = service.clone();
        async move { service.wait_until_ready(Duration::from_secs(9)).await }
    });
    tokio::time::sleep(millis(50)).await;
    feeder.insert(Node::new("b", script()));
    ready.end().await.unwrap();
}

#[test]
fn outside_of_a_runtime_a_call_is_an_error_and_no_panic() {
    let (_feeder, feed) = feed::<Node<HttpScript>>();
    let mut service = BalanceLayer::p2c().layer(feed);
    let call = service.call(Request::<String>::default());
    let mut call = tokio_test::task::spawn(call);
    assert!(matches!(call.poll(), Poll::Ready(Err(_))));
}

#[tokio::test(start_paused = true)]
async fn the_last_resort_is_nobody_who_says_that_it_does_not_serve() {
    let scripts = ["a", "b", "c"].map(|id| (id, script()));
    let nodes = scripts.clone().map(|(id, script)| {
        let node = Node::new(id, script);
        node.eject();
        if id != "b" {
            node.availability()
                .report(ziggurat_core::Reporter::Check, State::Down);
        }
        node
    });
    let (_feeder, feed) = found(nodes);
    let service = BalanceLayer::p2c().layer(feed);
    for _ in 0..50 {
        let call = service.clone().oneshot(request(CallOptions::new()));
        call.await.unwrap();
    }
    assert_eq!(scripts.map(|(_, script)| script.calls()), [0, 50, 0]);
}
