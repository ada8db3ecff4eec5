//! Power of two choices over endpoints that are all good, by latency: the choice alone.

use super::floor;
use futures_util::stream;
use std::{convert::Infallible, time::Duration};
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};
use tower::{
    BoxError, Layer, Service,
    balance::p2c::Balance,
    buffer::Buffer,
    discover::{Change, ServiceList},
    load::{CompleteOnResponse, PeakEwma},
};
use ziggurat_balance::{BalanceLayer, Foreign, ForeignEndpoint, Settings};
use ziggurat_benches::{Board, HttpNoop, HttpRequest, Noop};
use ziggurat_core::{ByResult, Grpc};

type Endpoints<S> = ServiceList<Vec<PeakEwma<S>>>;

const CALLS: usize = 1024;
/// Finding all endpoints takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn rows(board: &mut Board) {
    for (state, endpoints) in [("", 10), ("N=1000", 1_000), ("N=10000", 10_000)] {
        board
            .section::<u64>("balance", state)
            .service("bare", || Noop)
            .service("floor", move || floor::p2c(endpoints))
            .service("floor, fixed", move || floor::p2c_of_a_fixed_set(endpoints))
            .service("ziggurat", move || ziggurat(ByResult, endpoints, Noop))
            .alone("tower", move || tower::<_, u64>(endpoints, Noop))
            .service("tower+buffer", move || {
                Buffer::new(tower::<_, u64>(endpoints, Noop), CALLS)
            });
    }

    board
        .section::<HttpRequest>("balance", "http")
        .service("floor", || HttpNoop)
        .service("ziggurat", || ziggurat(Grpc, 10, HttpNoop))
        .alone("tower", || tower::<_, HttpRequest>(10, HttpNoop))
        .service("tower+buffer", || {
            Buffer::new(tower::<_, HttpRequest>(10, HttpNoop), CALLS)
        });
}

/// Endpoints of a service that has run for a while: they are past their slow start.
pub(crate) fn ziggurat<S, C>(
    classifier: C,
    endpoints: usize,
    service: S,
) -> ziggurat_balance::Balance<ForeignEndpoint<S>, C>
where
    S: Clone + Send + Sync + 'static,
    C: Clone,
{
    let found = vec![service; endpoints].into_iter().enumerate();
    let found = found.map(|(nth, service)| Ok::<_, Infallible>(Change::Insert(nth, service)));
    let balance = BalanceLayer::p2c()
        .classify_with(classifier)
        .settings(Settings::new().slow_start(Duration::ZERO))
        .layer(Foreign::new("users", stream::iter(found)));
    // A task finds them: without this the first rounds would choose among a part of them.
    let all_found = async {
        balance.wait_until_ready(PATIENCE).await?;
        while balance.endpoints().len() < endpoints {
            sleep(Duration::from_millis(1)).await;
        }
        Ok::<_, BoxError>(())
    };
    let found = Handle::current().block_on(timeout(PATIENCE, all_found));
    assert!(matches!(found, Ok(Ok(()))), "all {endpoints} are found");
    balance
}

/// Not `Clone`: in a client it stands behind a buffer.
pub(crate) fn tower<S, Req>(endpoints: usize, service: S) -> Balance<Endpoints<S>, Req>
where
    S: Service<Req, Error: Into<BoxError>> + Clone,
{
    let endpoint = |_| {
        let (rtt, decay) = (Duration::from_millis(1), Duration::from_secs(10));
        PeakEwma::new(
            service.clone(),
            rtt,
            decay.as_nanos() as f64,
            CompleteOnResponse::default(),
        )
    };
    let endpoints = (0..endpoints).map(endpoint).collect::<Vec<_>>();
    Balance::new(ServiceList::new(endpoints))
}
