//! Retries that are not needed: the first attempt succeeds.

use super::budgeted::Budgeted;
use backon::{ExponentialBuilder, Retryable};
use std::{
    fmt::Debug,
    hint::black_box,
    task::{Context, Poll},
};
use tower::{BoxError, Layer, Service, retry, service_fn};
use tower_resilience_retry::RetryBudgetBuilder;
use ziggurat_benches::{Board, HttpNoop, HttpRequest, HttpResponse, Noop};
use ziggurat_retry::{RetryLayer, Settings};

/// Clones the head of a request, and calls with the clone.
#[derive(Clone)]
struct Cloning;

// === impl Cloning ===

impl Service<HttpRequest> for Cloning {
    type Response = HttpResponse;
    type Error = BoxError;
    type Future = <HttpNoop as Service<HttpRequest>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let (head, body) = request.into_parts();
        let clone = black_box(&head).clone();
        HttpNoop.call(HttpRequest::from_parts(clone, body))
    }
}

pub(crate) fn rows(board: &mut Board) {
    board
        .section::<u64>("retry", "")
        .service("floor", || Noop)
        .service("ziggurat", || {
            RetryLayer::values(Settings::new()).layer(Noop)
        })
        .service("backon", backon)
        .service("tower", || {
            retry::RetryLayer::new(Budgeted::default()).layer(Noop)
        })
        .service("tower-resilience", || {
            let budget = RetryBudgetBuilder::new()
                .token_bucket()
                .build()
                .expect("valid");
            let layer = tower_resilience_retry::RetryLayer::<u64, u64, BoxError>::builder();
            layer.max_attempts(3).budget(budget).build().layer(Noop)
        });

    board
        .section::<HttpRequest>("retry", "http")
        .service("floor", || HttpNoop)
        // What nobody can do without who may have to send it again.
        .service("clone of the head", || Cloning)
        .service("ziggurat", || RetryLayer::default().layer(HttpNoop))
        .service("tower", || {
            retry::RetryLayer::new(Budgeted::default()).layer(HttpNoop)
        })
        .service("tower-resilience", || {
            let budget = RetryBudgetBuilder::new()
                .token_bucket()
                .build()
                .expect("valid");
            let layer =
                tower_resilience_retry::RetryLayer::<HttpRequest, HttpResponse, BoxError>::builder(
                );
            layer.max_attempts(3).budget(budget).build().layer(HttpNoop)
        });
}

/// `backon` has no layer and no budget: this is how a service would use it.
fn backon() -> impl Service<u64, Response = u64, Error: Debug, Future: Send> + Clone + Send + 'static
{
    service_fn(|request| (move || Noop.call(request)).retry(ExponentialBuilder::default()))
}
