//! Ten thousand instances of one service: how long until they are endpoints, beside one plain read.

use super::stores::{self, Place, median};
use futures_util::StreamExt;
use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};
use tower::{Layer, Service};
use ziggurat::coord::{Range, Registry};
use ziggurat_balance::ForeignEndpoint;
use ziggurat_benches::{Figure, Figures, Noop, Stopwatch};
use ziggurat_core::{Change, Instance, Resolve};
use ziggurat_discover::DiscoverLayer;

const INSTANCES: u32 = 10_000;
const SERVICE: &str = "users";
const STEPS: [&str; 4] = [
    "a plain range read",
    "Registry::list",
    "Registry, until the snapshot",
    "Registry and discover, all endpoints",
];

pub(crate) fn rows(figures: &mut Figures) {
    let rounds = figures.pace(31, 2);
    stores::runtime().block_on(async {
        for place in stores::places().await {
            stores::fill(&*place.store, SERVICE, INSTANCES).await;
            let rows = one_place(&place, rounds).await;
            let title = format!("10,000 instances over {}", place.name);
            figures.show(&title, rows);
        }
    });
}

/// Makes an endpoint of nothing.
#[derive(Clone)]
struct Connector;

// === impl Connector ===

impl Service<Instance> for Connector {
    type Response = ForeignEndpoint<Noop>;
    type Error = Infallible;
    type Future = Ready<Result<ForeignEndpoint<Noop>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, instance: Instance) -> Self::Future {
        ready(Ok(ForeignEndpoint::new(instance.id().clone(), Noop)))
    }
}

async fn one_place(place: &Place, rounds: usize) -> Vec<Figure> {
    let mut times = [const { Vec::new() }; 4];
    for _ in 0..rounds {
        times[0].push(read(place).await);
        times[1].push(list(place).await);
        times[2].push(snapshot(place).await);
        times[3].push(endpoints(place).await);
    }
    let medians = times.map(median);
    let row = |(name, millis)| {
        let figure = Figure::new("instances", place.name, name, millis, "ms");
        if name == STEPS[0] {
            return figure;
        }
        figure.of(medians[0], "the plain read")
    };
    STEPS.into_iter().zip(medians).map(row).collect()
}

async fn read(place: &Place) -> f64 {
    let begun = Stopwatch::start();
    let found = place
        .store
        .range(Range::prefix(format!("{SERVICE}/")))
        .await;
    let millis = begun.millis();
    assert_eq!(found.expect("it works").kvs.len(), INSTANCES as usize);
    millis
}

async fn list(place: &Place) -> f64 {
    let registry = Registry::new(Arc::clone(&place.store));
    let begun = Stopwatch::start();
    let found = registry.list(SERVICE).await;
    let millis = begun.millis();
    assert_eq!(found.expect("it works").len(), INSTANCES as usize);
    millis
}

async fn snapshot(place: &Place) -> f64 {
    let registry = Registry::new(Arc::clone(&place.store));
    let begun = Stopwatch::start();
    let mut changes = registry.resolve(SERVICE);
    let first = changes.next().await;
    let millis = begun.millis();
    let Some(Ok(Change::All(all))) = first else {
        panic!("expected a snapshot, found {first:?}");
    };
    assert_eq!(all.len(), INSTANCES as usize);
    millis
}

async fn endpoints(place: &Place) -> f64 {
    let registry = Registry::new(Arc::clone(&place.store));
    let begun = Stopwatch::start();
    let endpoints = DiscoverLayer::new(registry, SERVICE).whole();
    let mut endpoints = endpoints.layer(Connector);
    let made = endpoints.by_ref().take(INSTANCES as usize).count().await;
    let millis = begun.millis();
    assert_eq!(made, INSTANCES as usize);
    millis
}
