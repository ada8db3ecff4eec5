//! The balancers of others.

use super::{
    backend::{Answer, Backend},
    drive::Ask,
    world::World,
};
use futures_util::stream;
use std::sync::Arc;
use std::{collections::VecDeque, convert::Infallible, sync::Mutex, time::Duration};
use tower::{
    BoxError, Service,
    balance::p2c::Balance,
    discover::{Change, Discover},
    load::{CompleteOnResponse, Constant, PeakEwmaDiscover, PendingRequestsDiscover},
    service_fn,
};

/// tower's peak EWMA.
pub(crate) fn peak_ewma(
    world: &World,
) -> impl Service<Ask, Response = Answer, Error = BoxError, Future: Send + 'static> + use<> {
    let (rtt, decay) = (Duration::from_millis(30), Duration::from_secs(10));
    let handle = CompleteOnResponse::default();
    Balance::new(PeakEwmaDiscover::new::<Ask>(
        found(world, |one| one),
        rtt,
        decay,
        handle,
    ))
}

/// tower's pending requests.
pub(crate) fn pending(
    world: &World,
) -> impl Service<Ask, Response = Answer, Error = BoxError, Future: Send + 'static> + use<> {
    let handle = CompleteOnResponse::default();
    Balance::new(PendingRequestsDiscover::new::<Ask>(
        found(world, |one| one),
        handle,
    ))
}

/// tower's balance, where everybody's load is 0.
pub(crate) fn constant(
    world: &World,
) -> impl Service<Ask, Response = Answer, Error = BoxError, Future: Send + 'static> + use<> {
    Balance::new(found(world, |one| Constant::new(one, 0)))
}

/// One after the other.
pub(crate) fn round_robin(
    world: &World,
) -> impl Service<Ask, Response = Answer, Error = BoxError, Future: Send + 'static> + use<> {
    let (world, turn) = (world.clone(), Arc::new(Mutex::new(0)));
    service_fn(move |ask: Ask| {
        let live = world.live();
        let mut turn = turn.lock().expect("nobody panics with it");
        *turn += 1;
        let mut one = live[*turn % live.len()].clone();
        one.call(ask)
    })
}

/// What is registered, as changes.
fn found<S, F>(
    world: &World,
    dress: F,
) -> impl Discover<Key = String, Service = S, Error = Infallible> + Unpin + use<S, F>
where
    F: Fn(Backend) -> S,
{
    let mut registered = world.registered();
    registered.mark_changed();
    let state = (
        world.clone(),
        registered,
        Vec::<String>::new(),
        VecDeque::new(),
        dress,
    );
    Box::pin(stream::unfold(state, |mut state| async move {
        let (world, registered, known, changes, dress) = &mut state;
        while changes.is_empty() {
            registered.changed().await.ok()?;
            let seen = registered.borrow_and_update();
            let ids: Vec<_> = seen.iter().map(|one| one.id().to_string()).collect();
            let new = ids.iter().filter(|id| !known.contains(id));
            changes.extend(new.map(|id| Change::Insert(id.clone(), dress(world.backend(id)))));
            let gone = known.iter().filter(|id| !ids.contains(id));
            changes.extend(gone.map(|id| Change::Remove(id.clone())));
            *known = ids;
        }
        let change = changes.pop_front()?;
        Some((Ok::<_, Infallible>(change), state))
    }))
}
