//! Under tower's own balancer.

use crate::support::{Script, all, at, one, put, remove};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::{Ready, ready},
    num::NonZeroU32,
    task::{Context, Poll},
    time::Duration,
};
use tower::{
    Layer, Service, ServiceExt,
    balance::p2c::Balance,
    load::{CompleteOnResponse, PendingRequestsDiscover},
    service_fn,
};
use ziggurat_core::{Availability, BoxError, Endpoint, EndpointId, Instance};
use ziggurat_discover::DiscoverLayer;

/// Answers its port.
#[derive(Clone)]
struct Port {
    id: EndpointId,
    port: u16,
    availability: Availability,
}

impl Endpoint for Port {
    fn id(&self) -> &EndpointId {
        &self.id
    }

    fn availability(&self) -> &Availability {
        &self.availability
    }
}

impl Service<()> for Port {
    type Response = u16;
    type Error = Infallible;
    type Future = Ready<Result<u16, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        ready(Ok(self.port))
    }
}

#[tokio::test(start_paused = true)]
async fn towers_balancer_is_fed_through_trouble_and_change() {
    let script = Script::default();
    let say = script.stream();
    let layer = DiscoverLayer::new(script.clone(), "echo");
    let connector = service_fn(|instance: Instance| async move {
        Ok::<_, BoxError>(Port {
            id: instance.id().clone(),
            port: instance.port(),
            availability: Availability::new(),
        })
    });
    let endpoints = layer.layer(connector);
    let loaded = PendingRequestsDiscover::new(endpoints, CompleteOnResponse::default());
    let mut balance = Balance::new(loaded);

    // With nobody there it waits, and does not fail.
    let waits = tokio::time::timeout(Duration::from_secs(5), balance.ready()).await;
    assert!(waits.is_err());
    say.send(all([one(1), one(2)])).unwrap();
    assert_eq!(ports(&mut balance).await, [2, 3]);
    say.send(Err("no leader".into())).unwrap();
    assert_eq!(ports(&mut balance).await, [2, 3]);
    tokio::time::advance(Duration::from_secs(1)).await;
    say.send(put(one(3))).unwrap();
    say.send(remove(1)).unwrap();
    assert_eq!(ports(&mut balance).await, [3, 4]);
    let again = script.stream();
    drop(say);
    assert_eq!(ports(&mut balance).await, [3, 4]);
    again.send(all([one(2), one(3), one(4)])).unwrap();
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(ports(&mut balance).await, [3, 4, 5]);
    let heavy = one(2).with_weight(NonZeroU32::new(7).unwrap());
    again.send(put(heavy)).unwrap();
    again.send(put(at(3, 33))).unwrap();
    assert_eq!(ports(&mut balance).await, [3, 5, 33]);
}

/// Who answers, of a hundred calls.
async fn ports<S>(balance: &mut S) -> Vec<u16>
where
    S: Service<(), Response = u16>,
    S::Error: std::fmt::Debug,
{
    let mut answered = BTreeMap::new();
    for _ in 0..100 {
        let port = balance.ready().await.unwrap().call(()).await.unwrap();
        *answered.entry(port).or_insert(0) += 1;
    }
    answered.into_keys().collect()
}
