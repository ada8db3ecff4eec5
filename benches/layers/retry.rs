//! Retries that are not needed: the first attempt succeeds.

use super::budgeted::Budgeted;
use backon::{ExponentialBuilder, Retryable};
use std::{
    fmt::Debug,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};
use tower::{BoxError, Layer, Service, retry, service_fn};
use tower_resilience_retry::RetryBudgetBuilder;
use ziggurat_benches::{Board, HttpNoop, HttpRequest, HttpResponse, Noop};
use ziggurat_core::seat::{self, Apart};
use ziggurat_retry::{RetryLayer, Settings};

/// Clones the head of a request, and calls with the clone.
#[derive(Clone)]
struct Cloning;

/// Counts calls by each thread, and what was tried again of them.
#[derive(Default)]
struct Purse {
    calls: [Apart<AtomicU64>; seat::OWN],
    spent: AtomicU64,
}

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

// === impl Purse ===

impl Purse {
    fn deposit(&self) {
        let Apart(calls) = &self.calls[seat::among(seat::OWN)];
        calls.fetch_add(1, Relaxed);
    }

    /// One call in five.
    fn withdraw(&self) -> bool {
        let calls = self.calls.iter().map(|Apart(calls)| calls.load(Relaxed));
        self.spent.fetch_add(1, Relaxed) < calls.sum::<u64>() / 5
    }
}

pub(crate) fn rows(board: &mut Board) {
    board
        .section::<u64>("retry", "")
        .service("bare", || Noop)
        .service("floor", || floor(Noop))
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
        .service("bare", || HttpNoop)
        .service("floor", || floor(HttpNoop))
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

/// The least that a retry can do, written by hand: one addition where this thread counts, a clone of the
/// request, the state in one `Arc`. It tries again at once, whatever went wrong; no settings, no backoff, no
/// deadline, and no word of it to anybody.
fn floor<S, Req>(
    service: S,
) -> impl Service<Req, Response = S::Response, Error = S::Error, Future: Send> + Clone + Send + 'static
where
    S: Service<Req, Response: Send, Error: Send, Future: Send> + Clone + Send + 'static,
    Req: Clone + Send + 'static,
{
    let purse = Arc::new(Purse::default());
    service_fn(move |request: Req| {
        purse.deposit();
        let (mut service, kept, purse) = (service.clone(), request.clone(), Arc::clone(&purse));
        let first = service.call(request);
        async move {
            match first.await {
                Err(_) if purse.withdraw() => service.call(kept).await,
                answer => answer,
            }
        }
    })
}

/// `backon` has no layer and no budget: this is how a service would use it.
fn backon() -> impl Service<u64, Response = u64, Error: Debug, Future: Send> + Clone + Send + 'static
{
    service_fn(|request| (move || Noop.call(request)).retry(ExponentialBuilder::default()))
}
