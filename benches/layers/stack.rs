//! A whole client over endpoints that do nothing, beside what can be stacked of the peers' layers.
//!
//! What is in the stacks differs, and no peer has all of it:
//!
//! | | trace | breaker | deadline | bulkhead | retry, budget | attempt's trace | balance |
//! |---|---|---|---|---|---|---|---|
//! | ziggurat | yes | yes | yes | | yes | yes | 10 endpoints |
//! | tower | | | yes | yes | yes | | |
//! | tower+balance | | | yes | yes | yes | | 10 endpoints, buffered |
//! | tower-resilience | | yes | yes | yes | yes | | |

use super::{balance, budgeted::Budgeted};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use std::{
    fmt::Debug,
    hint::black_box,
    task::{Context, Poll},
    time::Duration,
};
use tower::{BoxError, Service, ServiceBuilder, buffer::Buffer};
use tower_resilience_bulkhead::BulkheadLayer;
use tower_resilience_circuitbreaker::CircuitBreakerLayer;
use tower_resilience_retry::RetryBudgetBuilder;
use tower_resilience_timelimiter::TimeLimiterLayer;
use ziggurat_benches::{Board, HttpNoop, HttpRequest, HttpResponse, PendsOnce};
use ziggurat_breaker::BreakerLayer;
use ziggurat_core::Grpc;
use ziggurat_deadline::DeadlineLayer;
use ziggurat_limit::{Rate, RateLimitLayer};
use ziggurat_retry::{ReplayBody, RetryLayer};
use ziggurat_trace::TraceLayer;

const LIMIT: Duration = Duration::from_secs(1);
const PERMITS: usize = 1024;
const ENDPOINTS: usize = 10;

pub(crate) fn rows(board: &mut Board) {
    section(board, "", || HttpNoop);
    section(board, "pends", || PendsOnce(HttpNoop));

    // What fails well, without trace and balance. The floor's request is not cloned: `request cloned`
    // says what the one clone that a retry needs costs.
    board
        .section::<HttpRequest>("stack", "deadline, limit, breaker, retry")
        .service("floor", || HttpNoop)
        .service("request cloned", || Cloned)
        .service("ziggurat", four)
        .service("tower", || tower(HttpNoop))
        .service("tower-resilience", || tower_resilience(HttpNoop));
}

/// Clones the parts of a request, and does nothing else.
#[derive(Clone)]
struct Cloned;

impl Service<HttpRequest> for Cloned {
    type Response = HttpResponse;
    type Error = BoxError;
    type Future = <HttpNoop as Service<HttpRequest>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Service::<HttpRequest>::poll_ready(&mut HttpNoop, cx)
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let (parts, body) = request.into_parts();
        drop(black_box(parts.clone()));
        HttpNoop.call(Request::from_parts(parts, body))
    }
}

fn four() -> impl Service<HttpRequest, Error: Debug, Future: Send> + Clone + Send + 'static {
    let rate = Rate::new(1_000_000_000, Duration::from_secs(1)).expect("one a nanosecond");
    ServiceBuilder::new()
        .layer(DeadlineLayer::client(
            ziggurat_deadline::Settings::new(LIMIT).expect("not zero"),
        ))
        .layer(RateLimitLayer::new(rate))
        .layer(BreakerLayer::default())
        .layer(RetryLayer::default())
        .service(HttpNoop)
}

fn section<S>(board: &mut Board, state: &'static str, bare: fn() -> S)
where
    S: Service<HttpRequest, Response = HttpResponse, Error = BoxError, Future: Send>
        + Service<
            Request<ReplayBody<Full<Bytes>>>,
            Response = HttpResponse,
            Error = BoxError,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static,
{
    board
        .section::<HttpRequest>("stack", state)
        .service("floor", bare)
        .service("ziggurat", move || ziggurat(bare()))
        .service("tower", move || tower(bare()))
        .service("tower+balance", move || {
            let balance = balance::tower::<_, HttpRequest>(ENDPOINTS, bare());
            tower(Buffer::new(balance, PERMITS))
        })
        .service("tower-resilience", move || tower_resilience(bare()));
}

fn ziggurat<S>(
    service: S,
) -> impl Service<HttpRequest, Error: Debug, Future: Send> + Clone + Send + 'static
where
    S: Service<
            Request<ReplayBody<Full<Bytes>>>,
            Response = HttpResponse,
            Error = BoxError,
            Future: Send,
        > + Clone
        + Send
        + Sync
        + 'static,
{
    ServiceBuilder::new()
        .layer(TraceLayer::client())
        .layer(BreakerLayer::default())
        .layer(DeadlineLayer::client(
            ziggurat_deadline::Settings::new(LIMIT).expect("not zero"),
        ))
        .layer(RetryLayer::default())
        .layer(TraceLayer::attempt())
        .service(balance::ziggurat(Grpc, ENDPOINTS, service))
}

fn tower<S>(
    service: S,
) -> impl Service<HttpRequest, Error: Debug, Future: Send> + Clone + Send + 'static
where
    S: Service<HttpRequest, Response = HttpResponse, Error = BoxError, Future: Send>
        + Clone
        + Send
        + 'static,
{
    ServiceBuilder::new()
        .timeout(LIMIT)
        .concurrency_limit(PERMITS)
        .retry(Budgeted::default())
        .service(service)
}

fn tower_resilience<S>(
    service: S,
) -> impl Service<HttpRequest, Error: Debug, Future: Send> + Clone + Send + 'static
where
    S: Service<HttpRequest, Response = HttpResponse, Error = BoxError, Future: Send>
        + Clone
        + Send
        + 'static,
{
    let limiter = TimeLimiterLayer::builder().timeout_duration(LIMIT).build();
    let bulkhead = BulkheadLayer::builder().max_concurrent_calls(PERMITS);
    let breaker = CircuitBreakerLayer::builder()
        .failure_rate_threshold(0.5)
        .sliding_window_size(100);
    let budget = RetryBudgetBuilder::new().token_bucket();
    let retry =
        tower_resilience_retry::RetryLayer::<HttpRequest, HttpResponse, BoxError>::builder()
            .max_attempts(3)
            .budget(budget.build().expect("valid"));
    ServiceBuilder::new()
        .layer(limiter)
        .layer(bulkhead.build().expect("valid"))
        .layer(breaker.build().expect("valid"))
        .layer(retry.build())
        .service(service)
}
