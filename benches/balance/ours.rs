//! Our layers, the real ones, as a client composes them.

use super::{
    backend::{Answer, Backend},
    drive::Ask,
    world::World,
};
use std::convert::Infallible;
use tower::{BoxError, Service, ServiceBuilder, service_fn};
use ziggurat_balance::{BalanceLayer, ForeignEndpoint, P2c, Policy};
use ziggurat_core::{Dice, Endpoint, Grpc, Instance};
use ziggurat_deadline::{DeadlineLayer, Settings};
use ziggurat_discover::{DiscoverLayer, Discovered, Feedback, ResolveExt, Watched, Zones};
use ziggurat_health::{Checked, HealthLayer};
use ziggurat_retry::RetryLayer;

/// `deadline -> balance <- discover <- health`, by default settings.
pub(crate) fn balanced(
    world: &World,
    dice: &Dice,
) -> impl Service<Ask, Response = Answer, Error = BoxError, Future: Send + 'static> + 'static {
    by(P2c::new(dice.clone()), world, dice)
}

pub(crate) fn by(
    policy: impl for<'a> Policy<Ask>,
    world: &World,
    dice: &Dice,
) -> impl Service<Ask, Response = Answer, Error = BoxError, Future: Send + 'static> + 'static {
    ServiceBuilder::new()
        .map_response(|answer: http::Response<_>| answer.map(|_| Default::default()))
        .layer(DeadlineLayer::client(Settings::default()))
        .layer(BalanceLayer::new(policy))
        .service(found(world, dice))
}

/// `deadline -> retry -> balance <- discover <- health`; calls are idempotent.
pub(crate) fn retried(
    world: &World,
    dice: &Dice,
) -> impl Service<Ask, Response = Answer, Error = BoxError, Future: Send + 'static> + 'static {
    let settings = ziggurat_retry::Settings::new().assume_idempotent(true);
    ServiceBuilder::new()
        .map_response(|answer: http::Response<_>| answer.map(|_| Default::default()))
        .layer(DeadlineLayer::client(Settings::default()))
        .layer(RetryLayer::new(settings).dice(dice.clone()))
        .layer(BalanceLayer::p2c().dice(dice.clone()))
        .service(found(world, dice))
}

type Found = Discovered<Checked<ForeignEndpoint<Backend>, Grpc>>;

fn found(
    world: &World,
    dice: &Dice,
) -> impl tower::discover::Discover<Key = ziggurat_core::EndpointId, Service = Found, Error = Infallible>
+ ziggurat_core::Named
+ Send
+ 'static {
    let connector = service_fn({
        let world = world.clone();
        move |instance: Instance| {
            let id = instance.id().clone();
            let backend = world.backend(id.as_str());
            async move {
                let endpoint = ForeignEndpoint::new(id, backend.clone());
                backend.connect(endpoint.availability().clone());
                Ok::<_, BoxError>(endpoint)
            }
        }
    });
    ServiceBuilder::new()
        .layer(discovery(world).dice(dice.clone()))
        .layer(HealthLayer::default().dice(dice.clone()))
        .service(connector)
}

fn discovery(world: &World) -> DiscoverLayer {
    let registered = Watched::new(world.registered());
    let Some(home) = world.home() else {
        return DiscoverLayer::new(registered, "users");
    };
    let feedback = Feedback::default();
    let zones = Zones::new(home).feedback(feedback.clone());
    DiscoverLayer::new(registered.prefer_zone(zones), "users").feedback(feedback)
}
