//! The contract that every layer keeps.

use super::{
    SECOND,
    backend::{Held, cause, layer},
    settings,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use std::{
    future::pending,
    sync::{Arc, Mutex},
};
use tokio::sync::Semaphore;
use tokio_test::{assert_pending, assert_ready, task};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use ziggurat_concurrency::{
    Bounded, Cause, Concurrency, ConcurrencyLayer, EndpointLayer, Full, Observer, Permit, Priority,
    ResponseFuture, Vegas,
};
use ziggurat_core::{
    BoxError, ByResult, Code, Criticality, Http, Live, Rejection, Sent, Unready, error,
};
use ziggurat_testkit::{
    Counting, Echo, Gate, ScriptBody, Strict, assert_clone, assert_send, assert_sync,
    drop_at_every_await, tonic,
};

#[test]
fn a_layer_needs_no_runtime_and_all_is_send_sync_and_clone() {
    let adaptive = ConcurrencyLayer::new(settings(5)).adaptive(Vegas::new());
    drop(adaptive.by_criticality().layer(Echo));
    drop(EndpointLayer::new(settings(5)).adaptive(Vegas::new()));
    assert_clone::<ConcurrencyLayer<ByResult>>();
    assert_clone::<Concurrency<Echo>>();
    assert_send::<Concurrency<Echo>>();
    assert_sync::<Concurrency<Echo>>();
    assert_sync::<Bounded<Echo>>();
    assert_send::<ResponseFuture<Echo, u32, ByResult>>();
    assert_send::<Permit>();
    assert_sync::<Full>();
    assert_clone::<Full>();
}

#[tokio::test(start_paused = true)]
async fn readiness_takes_nothing_and_ten_thousand_who_are_ready_lose_nothing() {
    let permits = Arc::new(Semaphore::new(1));
    let layer = layer(settings(1));
    let service = layer.layer(Strict::echo().permits(Arc::clone(&permits)));
    for _ in 0..10_000 {
        let mut service = service.clone();
        ServiceExt::<u32>::ready(&mut service).await.unwrap();
    }
    assert_eq!(
        (permits.available_permits(), layer.handle().in_flight()),
        (1, 0)
    );
    assert_eq!(service.oneshot(7).await.unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn one_layer_is_one_limit_and_an_isolated_one_another() {
    let (held, layer) = (Held::default(), layer(settings(1)));
    let (one, two) = (held.within(&layer), held.within(&layer.clone()));
    let other = held.within(&layer.isolated());
    let mut first = task::spawn(one.oneshot(1));
    assert_pending!(first.poll());
    assert_eq!(cause(&two.oneshot(2).await), Some(Cause::Limit));
    let mut third = task::spawn(other.oneshot(3));
    assert_pending!(third.poll());
    assert_eq!(held.seen(), [1, 3]);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_was_never_sent_and_says_so_to_a_generated_client() {
    let (held, layer) = (Held::default(), layer(settings(1)));
    let service = held.within(&layer);
    let mut first = task::spawn(service.clone().oneshot(1));
    assert_pending!(first.poll());
    let error = service.oneshot(2).await.unwrap_err();
    assert_eq!(error::find::<Full>(&*error).unwrap().limit(), 1);
    let rejection = error::find::<Rejection>(&*error).unwrap();
    assert_eq!(rejection.code(), Code::ResourceExhausted);
    assert_eq!(
        (rejection.sent(), rejection.is_decision()),
        (Sent::Never, true)
    );
    let status = tonic::Status::from_error(error);
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    assert_eq!(status.message(), "concurrency limit reached");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_gives_its_permit_back_wherever_it_was() {
    let layer = layer(settings(1).queue(2).unwrap()).adaptive(Vegas::new());
    let service = layer.layer(Counting::new(Strict::echo().pending_first(2)).0);
    let end = drop_at_every_await(|| {
        let mut service = service.clone();
        async move {
            ServiceExt::<u32>::ready(&mut service).await.unwrap();
            service.call(1).await
        }
    })
    .await;
    assert_eq!(end.unwrap(), 1);
    let handle = layer.handle();
    assert_eq!((handle.in_flight(), handle.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_service_panics_gives_its_permit_back() {
    let layer = layer(settings(1));
    let service = layer.layer(service_fn(|n: u32| {
        assert!(n > 0, "on purpose");
        std::future::ready(Ok::<_, BoxError>(n))
    }));
    let theirs = service.clone();
    let call = std::panic::AssertUnwindSafe(move || drop(theirs.oneshot(0)));
    let _ = std::panic::catch_unwind(call);
    let mut ready = service.clone();
    ready.ready().await.unwrap();
    let call = std::panic::AssertUnwindSafe(|| drop(ready.call(0)));
    std::panic::catch_unwind(call).unwrap_err();
    assert_eq!(layer.handle().in_flight(), 0);
    assert_eq!(service.oneshot(1).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_counts_while_it_lasts() {
    let layer = ConcurrencyLayer::new(settings(1)).classify_with(Http);
    let service = layer.layer(service_fn(|_: Request<()>| async {
        let body = ScriptBody::default().data("one").data("two");
        Ok::<_, BoxError>(Response::new(body))
    }));
    let call = || service.clone().oneshot(Request::new(()));
    let mut body = call().await.unwrap().into_body();
    assert_eq!(cause(&call().await), Some(Cause::Limit));
    body.frame().await.unwrap().unwrap();
    assert_eq!(layer.handle().in_flight(), 1);
    while body.frame().await.is_some() {}
    assert_eq!(layer.handle().in_flight(), 0);
    let body = call().await.unwrap().into_body();
    drop(body);
    assert_eq!(layer.handle().in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_inner_service_whose_readiness_fails_is_told_by_the_next_call() {
    let (layer, gate) = (layer(settings(1)), Gate::default());
    let service = layer.layer(Strict::echo().gate(&gate));
    gate.fail_next(1);
    let error = service.clone().oneshot(1_u32).await.unwrap_err();
    assert!(error::find::<Unready>(&*error).is_some());
    assert_eq!(layer.handle().in_flight(), 0);
    assert_eq!(service.oneshot(2).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_contract_inside_and_outside_other_layers() {
    let service = ServiceBuilder::new()
        .buffer(4)
        .concurrency_limit(1)
        .layer(layer(settings(1).queue(1).unwrap()))
        .concurrency_limit(1)
        .service(Strict::echo().pending_first(1));
    for call in 0..30_u32 {
        assert_eq!(service.clone().oneshot(call).await.unwrap(), call);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_limit_is_in_force_at_the_next_call_and_no_permit_is_lost() {
    let (setter, live) = Live::channel(settings(1));
    let (held, layer) = (Held::default(), layer(live));
    let service = held.within(&layer);
    let mut calls = Vec::new();
    for (limit, within) in [(1, 1), (3, 3), (2, 3)] {
        setter.set(settings(limit));
        for call in 0..5 {
            let mut call = task::spawn(service.clone().oneshot(call));
            if call.poll().is_pending() {
                calls.push(call);
            }
        }
        assert_eq!(layer.handle().in_flight(), within);
        assert_eq!(layer.handle().limit(), limit);
    }
    drop(calls);
    assert_eq!(layer.handle().in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn health_checks_pass_whoever_else_waits() {
    let layer = ConcurrencyLayer::new(settings(1))
        .classify_with(Http)
        .by_criticality();
    let service = layer.layer(service_fn(|request: Request<()>| async move {
        if request.uri().path() == "/slow" {
            pending::<()>().await;
        }
        Ok::<_, BoxError>(Response::new(Empty::<Bytes>::new()))
    }));
    let get = |path| {
        let request = Request::builder().uri(path).body(()).unwrap();
        service.clone().oneshot(request)
    };
    let mut slow = task::spawn(get("/slow"));
    assert_pending!(slow.poll());
    assert_eq!(cause(&get("/other").await), Some(Cause::Limit));
    get("/grpc.health.v1.Health/Check").await.unwrap();
    assert_eq!(layer.handle().in_flight(), 1);
}

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Observer for Notes {
    fn rejected(&self, level: Criticality, cause: Cause) {
        self.0.lock().unwrap().push(format!("{level} {cause:?}"));
    }

    fn waited(&self, level: Criticality, time: std::time::Duration) {
        self.0.lock().unwrap().push(format!("{level} {time:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_hears_of_what_waits_and_what_is_rejected() {
    let notes = Notes::default();
    let by_number = |n: &u32| {
        Priority::Level(if *n < 10 {
            Criticality::Sheddable
        } else {
            Criticality::CriticalPlus
        })
    };
    let layer = layer(settings(1).queue(1).unwrap().wait(SECOND, SECOND).unwrap());
    let layer = layer.observe_with(notes.clone()).prioritize_with(by_number);
    let held = Held::default();
    let service = held.within(&layer);
    let mut calls: Vec<_> = [1, 2, 3, 10]
        .map(|n| task::spawn(service.clone().oneshot(n)))
        .into();
    for call in &mut calls {
        let _ = call.poll();
    }
    tokio::time::advance(SECOND / 2).await;
    held.answer(1);
    assert_ready!(calls[0].poll()).unwrap();
    assert_eq!(
        cause(&assert_ready!(calls[1].poll())),
        Some(Cause::Displaced)
    );
    assert_pending!(calls[3].poll());
    assert_eq!(held.seen(), [10]);
    let notes = notes.0.lock().unwrap();
    let expected = [
        "SHEDDABLE Queue",
        "SHEDDABLE Displaced",
        "CRITICAL_PLUS 500ms",
    ];
    assert_eq!(*notes, expected);
}
