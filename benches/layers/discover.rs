//! Not a layer on the path of a call: one of a hundred instances changes, and its endpoint follows.

use futures_util::{StreamExt, stream};
use std::{
    convert::Infallible,
    fmt::Debug,
    future::{Ready, poll_fn, ready},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};
use tokio::{runtime::Handle, sync::mpsc};
use tower::{BoxError, Layer, Service, discover::Change::Insert, service_fn};
use ziggurat_balance::ForeignEndpoint;
use ziggurat_benches::{Board, Noop};
use ziggurat_core::{Change, Changes, Instance, Resolve};
use ziggurat_discover::DiscoverLayer;

const INSTANCES: u16 = 100;

pub(crate) fn rows(board: &mut Board) {
    board
        .section::<u64>("discover", "one of 100 changes")
        .alone("ziggurat", following);
}

/// Says what it is told to, to the first who asks.
struct Told(Mutex<Option<mpsc::Receiver<Change>>>);

struct Connector;

// === impl Told ===

impl Resolve for Told {
    fn resolve(&self, _: &str) -> Changes {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut told = told.expect("the stream never ends, so that nobody asks twice");
        Box::pin(stream::poll_fn(move |cx| {
            told.poll_recv(cx).map(|change| change.map(Ok))
        }))
    }
}

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

/// Each call changes an instance, and is answered when the new endpoint is there.
fn following() -> impl Service<u64, Error: Debug, Future: Send> + Send + 'static {
    let (say, told) = mpsc::channel(1);
    let layer = DiscoverLayer::new(Told(Mutex::new(Some(told))), "users").whole();
    let mut endpoints = layer.layer(Connector);
    let all = (0..INSTANCES).map(|n| Arc::new(instance(n, n)));
    say.try_send(Change::All(all.collect()))
        .expect("room for one");
    let connected = endpoints.by_ref().take(INSTANCES.into()).count();
    Handle::current().block_on(connected);

    let endpoints = Arc::new(Mutex::new(endpoints));
    let mut changes = 0_u16;
    service_fn(move |_: u64| {
        changes = changes.wrapping_add(1);
        // A port that it did not have before.
        let changed = instance(changes % INSTANCES, changes ^ 0x8000);
        let said = say.try_send(Change::Put(Arc::new(changed)));
        let endpoints = Arc::clone(&endpoints);
        async move {
            said?;
            let next = |cx: &mut Context<'_>| {
                let mut endpoints = endpoints.lock().unwrap_or_else(PoisonError::into_inner);
                endpoints.poll_next_unpin(cx)
            };
            match poll_fn(next).await {
                Some(Ok(Insert(id, _))) => Ok::<_, BoxError>(id),
                _ => Err("another endpoint than the one that changed".into()),
            }
        }
    })
}

fn instance(nth: u16, port: u16) -> Instance {
    let port = port.max(1);
    Instance::new("users", &nth.to_string(), "10.0.0.1", port).expect("valid")
}
