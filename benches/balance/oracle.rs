//! Somebody who knows how each server does.

use super::{
    backend::{Answer, Backend},
    drive::Ask,
    world::World,
};
use tower::{BoxError, Service, service_fn};

/// The one of the good ones that has the least to do; of none that are good, of all.
pub(crate) fn oracle(
    world: &World,
) -> impl Service<Ask, Response = Answer, Error = BoxError, Future: Send + 'static> + use<> {
    let world = world.clone();
    service_fn(move |ask: Ask| {
        let mut live = world.live();
        live.retain(|one| !one.is_dead());
        let good = live.iter().filter(|one| is_good(one));
        let best = good.min_by_key(|one| one.pending());
        let mut best = best.unwrap_or(&live[0]).clone();
        best.call(ask)
    })
}

fn is_good(one: &Backend) -> bool {
    let warm = matches!(one.kind(), super::backend::Kind::Cold(_)) && !one.is_cold();
    one.kind().is_good() || warm
}
