//! How an ejected endpoint comes back.

use crate::bench::{
    Connector, Watched, answers, connect, endpoints, fail, hang, pass, state, succeed,
};
use http::Request;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, time::Instant};
use tower::{Layer, ServiceExt};
use ziggurat_core::{ByResult, Endpoint, State};
use ziggurat_health::{HealthLayer, Settings};
use ziggurat_testkit::{HttpScript, ScriptBody, Step};

/// Two endpoints, of which the first was ejected and may be probed.
async fn recovering() -> Vec<Watched> {
    let all = endpoints(2).await;
    fail(&all[0], 5).await;
    assert_eq!(state(&all[0]), State::Ejected);
    pass(13).await;
    assert_eq!(state(&all[0]), State::Ready);
    all
}

#[tokio::test(start_paused = true)]
async fn its_time_ends_without_a_call_and_listeners_are_told() {
    let all = endpoints(2).await;
    fail(&all[0], 5).await;
    let start = Instant::now();
    let listener = Arc::new(Notify::new());
    all[0].availability().listen(&listener);
    listener.notified().await;
    assert_eq!(state(&all[0]), State::Ready);
    let time = start.elapsed().as_secs_f64();
    assert!((8.0..=12.1).contains(&time), "{time}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_succeeds_brings_it_back() {
    let all = recovering().await;
    succeed(&all[0]).await;
    assert_eq!(state(&all[0]), State::Ready);
    fail(&all[0], 4).await;
    assert_eq!(state(&all[0]), State::Ready, "it serves again");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_ejects_it_for_longer() {
    let all = recovering().await;
    fail(&all[0], 1).await;
    assert_eq!(state(&all[0]), State::Ejected);
    pass(15).await;
    assert_eq!(state(&all[0]), State::Ejected, "20 s this time");
    pass(10).await;
    assert_eq!(state(&all[0]), State::Ready);
}

#[tokio::test(start_paused = true)]
async fn one_probe_goes_at_a_time_and_others_are_passed_on() {
    let all = recovering().await;
    let probe = hang(&all[0]).await;
    assert_eq!(state(&all[0]), State::Ejected);
    succeed(&all[0]).await;
    fail(&all[0], 1).await;
    assert_eq!(state(&all[0]), State::Ejected, "they are no probes");
    probe.cancel().await;
    assert_eq!(state(&all[0]), State::Ready, "a dropped probe makes room");
    succeed(&all[0]).await;
    fail(&all[0], 4).await;
    assert_eq!(state(&all[0]), State::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_never_answers_makes_room_in_time() {
    let all = recovering().await;
    let silent = hang(&all[0]).await;
    pass(4).await;
    assert_eq!(state(&all[0]), State::Ejected);
    pass(2).await;
    assert_eq!(state(&all[0]), State::Ready);
    succeed(&all[0]).await;
    silent.cancel().await;
    fail(&all[0], 4).await;
    assert_eq!(state(&all[0]), State::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_stream_as_a_probe_brings_it_back_when_it_goes_on() {
    let response = |body: ScriptBody| {
        let head = http::Response::builder().header("content-type", "application/grpc");
        Step::answer(head.body(body).unwrap())
    };
    let failing = Step::trailers_only(ziggurat_testkit::tonic::Code::Unavailable);
    let stream = response(ScriptBody::default().message("hi").hang());
    let steps = (0..5).map(|_| failing.clone()).chain([stream]);
    let connector = HealthLayer::default().layer(Connector(HttpScript::new(steps)));
    let one = connect(&connector, "users", "a").await;
    let _other = connect(&connector, "users", "b").await;
    let call = || one.clone().oneshot(Request::new(String::new()));
    for _ in 0..5 {
        call().await.unwrap();
    }
    assert_eq!(state(&one), State::Ejected);
    pass(13).await;
    let open = call().await.unwrap();
    assert_eq!(state(&one), State::Ejected, "too early to tell");
    pass(6).await;
    assert_eq!(state(&one), State::Ready);
    drop(open);
    assert_eq!(state(&one), State::Ready);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_slower_than_the_probe_timeout_returns() {
    let all = recovering().await;
    let mut calls = tokio::task::JoinSet::new();
    // Called whenever it may be picked, as a balancer does.
    for _ in 0..8 {
        for _ in 0..100 {
            if state(&all[0]) == State::Ready {
                calls.spawn(all[0].clone().oneshot(6));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let calls = calls.len();
    assert!((190..=210).contains(&calls), "2 probes, 2 s: {calls}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_takes_as_long_as_it_likes_is_waited_for() {
    let settings = Settings::new().probe_timeout(Duration::MAX).unwrap();
    let connector = HealthLayer::new(settings)
        .classify_with(ByResult)
        .layer(Connector(answers()));
    let one: Watched = connect(&connector, "users", "a").await;
    let _other = connect(&connector, "users", "b").await;
    fail(&one, 5).await;
    pass(13).await;
    let silent = hang(&one).await;
    pass(3_600).await;
    assert_eq!(state(&one), State::Ejected);
    silent.cancel().await;
    succeed(&one).await;
    assert_eq!(state(&one), State::Ready);
}

#[tokio::test(start_paused = true)]
async fn stragglers_from_before_the_ejection_change_nothing() {
    let all = endpoints(2).await;
    let mut stragglers = Vec::new();
    for _ in 0..10 {
        stragglers.push(hang(&all[0]).await);
    }
    fail(&all[0], 5).await;
    pass(13).await;
    let probe = hang(&all[0]).await;
    for straggler in stragglers {
        straggler.cancel().await;
    }
    assert_eq!(state(&all[0]), State::Ejected, "the probe is still out");
    probe.cancel().await;
    assert_eq!(state(&all[0]), State::Ready);
}

#[tokio::test(start_paused = true)]
async fn waiting_to_come_back_is_not_polling() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let all = endpoints(2).await;
    fail(&all[0], 5).await;
    assert_eq!(metrics.num_alive_tasks(), 1, "one timer");
    pass(60).await;
    assert_eq!(
        metrics.num_alive_tasks(),
        0,
        "and nothing while nobody calls"
    );
    fail(&all[0], 1).await;
    drop(all);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(metrics.num_alive_tasks(), 0, "it ends with the endpoint");
}
