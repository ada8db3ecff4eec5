//! The whole way into a server, around a handler that does nothing.

use std::{fmt::Debug, time::Duration};
use tower::{BoxError, Layer, Service, ServiceBuilder, limit::GlobalConcurrencyLimitLayer};
use tower_http::{catch_panic::CatchPanicLayer, trace::TraceLayer};
use ziggurat::server::ServerLayer;
use ziggurat_benches::{Board, HttpNoop, HttpRequest, HttpResponse, PendsOnce};
use ziggurat_concurrency::ConcurrencyLayer;
use ziggurat_limit::{Rate, RateLimitLayer};
use ziggurat_trust::TrustLayer;

const LIMIT: Duration = Duration::from_secs(1);
const PERMITS: u32 = 1_024;

pub(crate) fn rows(board: &mut Board) {
    board
        .section::<HttpRequest>("server", "")
        .service("floor", || HttpNoop)
        .service("ziggurat", || ziggurat().layer(HttpNoop))
        .service("tower, tower-http", || peers(HttpNoop));

    board
        .section::<HttpRequest>("server", "pends")
        .service("floor", || PendsOnce(HttpNoop))
        .service("ziggurat", || ziggurat().layer(PendsOnce(HttpNoop)))
        .service("tower, tower-http", || peers(PendsOnce(HttpNoop)));

    board
        .section::<HttpRequest>("server", "rate limit, edge")
        .service("floor", || HttpNoop)
        .service("ziggurat", || {
            let rate = Rate::new(1_000_000_000, LIMIT).expect("one a nanosecond");
            ziggurat()
                .rate_limit(RateLimitLayer::new(rate))
                .trust(TrustLayer::edge(ziggurat_trust::Settings::new()))
                .layer(HttpNoop)
        });
}

/// A deadline, and permits to spare.
fn ziggurat()
-> ServerLayer<tower::layer::util::Identity, tower::layer::util::Identity, ConcurrencyLayer> {
    let settings = ziggurat_concurrency::Settings::new(PERMITS).expect("more than none");
    let timeout = ziggurat_deadline::Settings::new(LIMIT).expect("not zero");
    ServerLayer::internal()
        .deadline(timeout)
        .concurrency(ConcurrencyLayer::new(settings))
}

fn peers<S>(
    service: S,
) -> impl Service<HttpRequest, Error: Debug, Future: Send> + Clone + Send + 'static
where
    S: Service<HttpRequest, Response = HttpResponse, Error = BoxError, Future: Send>
        + Clone
        + Send
        + 'static,
{
    ServiceBuilder::new()
        .layer(TraceLayer::new_for_grpc())
        .layer(CatchPanicLayer::new())
        .load_shed()
        .timeout(LIMIT)
        .layer(GlobalConcurrencyLimitLayer::new(PERMITS as usize))
        .service(service)
}
