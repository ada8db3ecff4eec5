#![allow(clippy::unwrap_used, reason = "a test may panic")]

//! What every layer keeps, asked of every layer: it calls the instance that it polled, hoards
//! nothing, gives back what a dropped future held, is built without a runtime, and shares its state
//! among all that one layer value makes.

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::Full;
use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};
use tokio::sync::Semaphore;
use tower::{Layer, Service, ServiceExt, discover::ServiceList, service_fn};
use ziggurat::{
    answer::AnswerLayer,
    balance::{BalanceLayer, Foreign, ForeignEndpoint},
    breaker::{self, BreakerLayer},
    core::{BoxError, Instance},
    deadline::{self, DeadlineLayer},
    health::HealthLayer,
    limit::{ByMethod, KeyedLimitLayer, Limited, NestedLimitLayer, Queue, Rate, RateLimitLayer},
    retry::{self, RetryLayer, hedge::HedgeLayer},
    trace::TraceLayer,
    trust::{self, TrustLayer},
};
use ziggurat_testkit::tonic::Code;
use ziggurat_testkit::{Counting, Gauge, HttpScript, Step, Strict, exercise};

type Inner = Counting<Strict<HttpScript>>;

const PERMITS: usize = 3;
const CALLS: usize = 10_000;

/// What a test watches while a layer is at work.
#[derive(Clone)]
struct Watched {
    gauge: Gauge,
    permits: Arc<Semaphore>,
}

// === impl Watched ===

impl Watched {
    fn new() -> Self {
        Self {
            gauge: Gauge::default(),
            permits: Arc::new(Semaphore::new(PERMITS)),
        }
    }

    /// A service that reserves a permit when it is polled, and does `step` when it is called.
    fn service(&self, step: Step<http::Response<ziggurat_testkit::ScriptBody>>) -> Inner {
        let strict = Strict::around(HttpScript::new([step])).permits(Arc::clone(&self.permits));
        Counting::into_gauge(strict, &self.gauge)
    }

    fn answering(&self) -> Inner {
        self.service(Step::grpc("fine"))
    }

    /// Everything is back, once `service` is gone.
    fn assert_nothing_is_held<S>(&self, service: S) {
        drop(service);
        self.gauge.assert_idle();
        assert_eq!(self.permits.available_permits(), PERMITS);
    }
}

fn request() -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::from("question"));
    let content_type = HeaderValue::from_static("application/grpc");
    request.headers_mut().insert("content-type", content_type);
    request
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

/// Walks through the contract with what `layer` makes of services that answer, or never do.
fn keeps_the_contract<L, S>(layer: L)
where
    L: Layer<Inner, Service = S> + Clone + Send + Sync + 'static,
    S: Service<Request<Full<Bytes>>> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    // Outside of any runtime.
    let (answers, never) = (Watched::new(), Watched::new());
    let answering = layer.layer(answers.answering());
    let silent = layer.layer(never.service(Step::never()));
    runtime().block_on(async {
        exercise(&answering, request).await;
        ready_and_dropped(&answering).await;
        assert!(
            answers.gauge.started() > 0,
            "nothing reached the inner service"
        );
        answers.assert_nothing_is_held(answering);

        called_and_dropped(&silent).await;
        assert!(
            never.gauge.started() > 0,
            "nothing reached the inner service"
        );
        never.assert_nothing_is_held(silent);
    });
}

async fn ready_and_dropped<S: Service<Request<Full<Bytes>>> + Clone>(service: &S) {
    for _ in 0..CALLS {
        let ready = service.clone().ready_oneshot().await;
        assert!(ready.is_ok(), "readiness was lost");
    }
}

/// Half of the futures are dropped before they are polled, half after.
async fn called_and_dropped<S: Service<Request<Full<Bytes>>> + Clone>(service: &S) {
    for call in 0..CALLS {
        let Ok(mut ready) = service.clone().ready_oneshot().await else {
            panic!("readiness was lost");
        };
        let mut future = Box::pin(ready.call(request()));
        if call % 2 == 0 {
            poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await;
            // Lets the tasks of the layer have a turn.
            tokio::task::yield_now().await;
        }
    }
}

#[test]
fn trace_on_the_client() {
    keeps_the_contract(TraceLayer::client());
}

#[test]
fn trace_of_an_attempt() {
    keeps_the_contract(TraceLayer::attempt());
}

#[test]
fn trace_on_the_server() {
    keeps_the_contract(TraceLayer::server());
}

#[test]
fn breaker() {
    keeps_the_contract(BreakerLayer::default());
}

#[test]
fn deadline_on_the_client() {
    let settings = deadline::Settings::new(Duration::from_secs(1)).unwrap();
    keeps_the_contract(DeadlineLayer::new(settings));
}

#[test]
fn deadline_on_the_server() {
    let settings = deadline::Settings::new(Duration::from_secs(1)).unwrap();
    keeps_the_contract(DeadlineLayer::server().settings(settings));
}

#[test]
fn retry() {
    keeps_the_contract(RetryLayer::default());
}

#[test]
fn hedge() {
    keeps_the_contract(HedgeLayer::default());
}

#[test]
fn limit() {
    let rate = Rate::per_second(1_000_000).unwrap();
    keeps_the_contract(RateLimitLayer::new(rate));
}

#[test]
fn limit_that_lets_calls_wait() {
    let rate = Rate::per_second(1_000_000).unwrap();
    keeps_the_contract(RateLimitLayer::new(rate).wait_in(Queue::new(9).unwrap()));
}

#[test]
fn limit_by_key() {
    let rate = Rate::per_second(1_000_000).unwrap();
    keeps_the_contract(KeyedLimitLayer::new(ByMethod, rate));
}

#[test]
fn limits_within_limits() {
    let rate = Rate::per_second(1_000_000).unwrap();
    keeps_the_contract(NestedLimitLayer::new(rate).within(ByMethod, rate));
}

#[test]
fn trust() {
    keeps_the_contract(TrustLayer::edge(trust::Settings::new()));
}

#[test]
fn answer() {
    keeps_the_contract(AnswerLayer::new());
}

#[test]
fn balance() {
    let layer = tower::layer::layer_fn(|inner: Inner| {
        let list = ServiceList::new::<Request<Full<Bytes>>>(vec![inner]);
        BalanceLayer::p2c().layer(Foreign::new("test", list))
    });
    keeps_the_contract(layer);
}

#[test]
fn health() {
    let layer = tower::layer::layer_fn(|inner: Inner| {
        let connector = service_fn(move |instance: Instance| {
            let endpoint = ForeignEndpoint::new(instance.id().clone(), inner.clone());
            std::future::ready(Ok::<_, BoxError>(endpoint))
        });
        let mut checked = HealthLayer::default().layer(connector);
        let instance = Instance::new("test", "one", "localhost", 80).unwrap();
        runtime().block_on(async {
            poll_fn(|cx| checked.poll_ready(cx)).await.unwrap();
            checked.call(instance).await.unwrap()
        })
    });
    keeps_the_contract(layer);
}

/// Calls `service` once; is it the layer that answers?
async fn is_rejected<S, Cause>(service: &S) -> bool
where
    S: Service<Request<Full<Bytes>>, Error = BoxError> + Clone,
    Cause: std::error::Error + 'static,
{
    let answer = service.clone().oneshot(request()).await;
    answer.is_err_and(|error| ziggurat::core::error::find::<Cause>(&*error).is_some())
}

#[test]
fn the_circuit_belongs_to_the_layer() {
    let failing = || Strict::around(HttpScript::new([Step::trailers_only(Code::Internal)]));
    let layer = BreakerLayer::new(breaker::Settings::new().consecutive_failures(5).unwrap());
    let (one, other) = (layer.layer(failing()), layer.layer(failing()));
    let apart = layer.isolated().layer(failing());
    runtime().block_on(async {
        for call in 0..5 {
            // Each call by a clone of its own, through either service.
            let service = if call % 2 == 0 { &one } else { &other };
            assert!(!is_rejected::<_, breaker::Open>(service).await);
        }
        assert!(is_rejected::<_, breaker::Open>(&one).await);
        assert!(is_rejected::<_, breaker::Open>(&other).await);
        assert!(!is_rejected::<_, breaker::Open>(&apart).await);
    });
}

#[test]
fn the_rate_belongs_to_the_layer() {
    let fine = || Strict::around(HttpScript::new([Step::grpc("fine")]));
    let layer = RateLimitLayer::new(Rate::per_second(1).unwrap().burst(3).unwrap());
    let (one, other) = (layer.layer(fine()), layer.layer(fine()));
    let apart = layer.isolated().layer(fine());
    runtime().block_on(async {
        for service in [&one, &other, &one] {
            assert!(!is_rejected::<_, Limited>(service).await);
        }
        assert!(is_rejected::<_, Limited>(&one).await);
        assert!(is_rejected::<_, Limited>(&other).await);
        assert!(!is_rejected::<_, Limited>(&apart).await);
    });
}

#[test]
fn the_budget_belongs_to_the_layer() {
    let failing = || HttpScript::new([Step::trailers_only(Code::Unavailable)]);
    let (one_inner, other_inner, apart_inner) = (failing(), failing(), failing());
    // No reserve, and an eighth of a retry for each call: sixteen calls earn two.
    let layer = RetryLayer::new(retry::Settings::new().budget(0.125, 0).unwrap());
    let one = layer.layer(Strict::around(one_inner.clone()));
    let other = layer.layer(Strict::around(other_inner.clone()));
    let apart = layer.isolated().layer(Strict::around(apart_inner.clone()));
    runtime().block_on(async {
        for _ in 0..8 {
            one.clone().oneshot(request()).await.unwrap();
            other.clone().oneshot(request()).await.unwrap();
        }
        apart.clone().oneshot(request()).await.unwrap();
    });
    assert_eq!(one_inner.calls() + other_inner.calls(), 16 + 2);
    assert_eq!(apart_inner.calls(), 1);
}

#[test]
fn the_endpoints_belong_to_the_balance_that_was_made() {
    let list = ServiceList::new::<Request<Full<Bytes>>>(vec![Watched::new().answering()]);
    let balance = BalanceLayer::p2c().layer(Foreign::new("test", list));
    runtime().block_on(async {
        for _ in 0..3 {
            balance.clone().oneshot(request()).await.unwrap();
        }
        let pending = balance.clone().oneshot(request()).await.unwrap();
        assert_eq!(
            balance.endpoints()[0].pending(),
            1,
            "until the body has ended"
        );
        drop(pending);
    });
    assert_eq!(
        (balance.endpoints()[0].pending(), balance.endpoints().len()),
        (0, 1)
    );
}
