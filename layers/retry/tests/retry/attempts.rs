//! What the attempts of a call know of each other.

use crate::kit::*;
use http::Response;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tower::{Layer, Service, ServiceExt};
use ziggurat_core::{Attempt, CallOptions, EndpointId, Trail, Tried};
use ziggurat_retry::RetryLayer;
use ziggurat_testkit::{ScriptBody, Step, tonic::Code};

#[tokio::test(start_paused = true)]
async fn each_attempt_says_how_many_came_before_it() {
    let down = || Step::trailers_only(Code::Unavailable);
    let inner = script([down(), down(), Step::grpc("fine")]);
    let mut request = post();
    let lie = "7".parse().unwrap();
    request
        .headers_mut()
        .insert("grpc-previous-rpc-attempts", lie);
    request
        .headers_mut()
        .insert("x-mine", "kept".parse().unwrap());
    retry(&inner).oneshot(request).await.unwrap();
    let seen = inner.seen();
    let previous = |n: usize| seen[n].headers.get("grpc-previous-rpc-attempts");
    assert_eq!(previous(0), None);
    assert_eq!(previous(1).unwrap(), "1");
    assert_eq!(previous(2).unwrap(), "2");
    for (seen, number) in seen.iter().zip(1..) {
        // The first try goes without: nothing is put into the request of a call that succeeds at once.
        let attempt = seen.extensions.get::<Attempt>();
        assert_eq!(attempt.map(Attempt::number), (number > 1).then_some(number));
        assert_eq!(seen.headers["x-mine"], "kept");
        assert_eq!(seen.uri.path(), "/shop.Cart/Get");
        assert_eq!(seen.body.as_deref(), Some(&b"0123456789"[..]));
    }
}

#[tokio::test(start_paused = true)]
async fn the_caller_hears_how_many_attempts_came_before_the_one_that_was_answered() {
    let down = || Step::trailers_only(Code::Unavailable);
    let lie = || down().header("grpc-previous-rpc-attempts", "77");
    let at_once = || down().header("grpc-retry-pushback-ms", "0");
    let late = || down().after(900 * MS);
    for (steps, previous) in [
        (vec![Step::grpc("fine")], None),
        (vec![down(), Step::grpc("fine")], Some("1")),
        (vec![down(), lie(), down(), down(), lie()], Some("4")),
        (
            vec![at_once(), Step::trailers_only(Code::NotFound)],
            Some("1"),
        ),
        // There was no time for a third.
        (vec![late(), late()], Some("1")),
    ] {
        let inner = script(steps);
        let request = with(post(), timeout(2_000 * MS));
        let response = retry(&inner).oneshot(request).await.unwrap();
        let told = response.headers().get("grpc-previous-rpc-attempts");
        assert_eq!(told.map(|value| value.to_str().unwrap()), previous);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_knows_what_the_server_asked_for_before() {
    let down = || Step::trailers_only(Code::Unavailable);
    let pushed = down().header("grpc-retry-pushback-ms", "70");
    let inner = script([pushed, down(), Step::grpc("fine")]);
    retry(&inner).oneshot(post()).await.unwrap();
    let asked: Vec<_> = inner
        .seen()
        .iter()
        .map(|seen| seen.extensions.get::<Attempt>()?.previous_pushback())
        .collect();
    assert_eq!(asked, [None, Some(70 * MS), None]);
}

#[tokio::test(start_paused = true)]
async fn the_attempt_of_a_layer_further_out_is_not_taken_for_one_of_this() {
    let inner = script([Step::trailers_only(Code::Unavailable), Step::grpc("fine")]);
    let mut request = post();
    let theirs = Tried::new();
    theirs.note(&EndpointId::new("theirs"));
    request.extensions_mut().insert(Attempt::new(4, theirs));
    retry(&inner).oneshot(request).await.unwrap();
    let seen = inner.seen();
    for (seen, number) in seen.iter().zip(1..) {
        let attempt = seen.extensions.get::<Attempt>().unwrap();
        assert_eq!(attempt.number(), number);
        assert!(attempt.tried().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn extensions_of_others_reach_every_attempt() {
    let inner = script([Step::trailers_only(Code::Unavailable), Step::grpc("fine")]);
    let mut request = post();
    request.extensions_mut().insert("theirs");
    request
        .extensions_mut()
        .insert(CallOptions::new().hash_key(7));
    retry(&inner).oneshot(request).await.unwrap();
    let seen = inner.seen();
    assert_eq!(seen.len(), 2);
    for seen in seen {
        assert_eq!(seen.extensions.get(), Some(&"theirs"));
        let options = seen.extensions.get::<CallOptions>().unwrap();
        assert_eq!(options.hash_key, Some(7));
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_attempt_goes_to_another_endpoint() {
    type Load = Arc<Mutex<HashMap<&'static str, u32>>>;
    let load = Load::default();
    let counted = Arc::clone(&load);
    // As a balancer does: the next in turn that was not tried yet.
    let turn = Arc::new(Mutex::new(0_usize));
    let ids = ["bad", "good"].map(|name| (name, EndpointId::new(name)));
    let balancer = server(move |request| {
        let tried = request.extensions().get().map(Attempt::tried);
        let mut turn = turn.lock().unwrap();
        *turn += usize::from(tried.is_none());
        let order = [*turn % 2, (*turn + 1) % 2].map(|index| &ids[index]);
        let untried = |(_, id): &&&(&'static str, EndpointId)| match tried {
            Some(tried) => !tried.contains(id),
            None => !Trail::leads_to(id),
        };
        let (name, id) = order.iter().find(untried).unwrap_or(&order[0]);
        match tried {
            Some(tried) => tried.note(id),
            None => Trail::note(id),
        }
        *counted.lock().unwrap().entry(name).or_default() += 1;
        let status = if *name == "good" { "0" } else { "14" };
        let response: Response<ScriptBody> = answer(status);
        std::future::ready(Ok(response))
    });
    let rich = settings().budget(1.0, 10).unwrap();
    let mut service = RetryLayer::new(rich).layer(balancer);
    for _ in 0..1_000 {
        let response = ready(&mut service).await.call(post()).await.unwrap();
        assert_eq!(status(&response), "0");
    }
    let load = load.lock().unwrap();
    assert_eq!(load["good"], 1_000);
    assert!((400..=600).contains(&load["bad"]), "{load:?}");
}
