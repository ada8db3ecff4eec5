//! Instances that are registered, and callers who follow them as a channel does.

use super::{findings::Findings, world::Site, world::World};
use futures_util::StreamExt;
use std::{
    collections::BTreeSet,
    convert::Infallible,
    future::{Ready, ready},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tower::{Layer, Service, discover::Change};
use ziggurat::{
    coord::{Registration, Registry},
    discover::DiscoverLayer,
};
use ziggurat_core::{Availability, Dice, Endpoint, EndpointId, Instance};

/// What is registered and followed.
pub(super) const SERVICE: &str = "echo";
/// How long an instance stays registered that is not heard of.
pub(super) const TTL: Duration = Duration::from_secs(4);
/// After this a registration must be back, from when the cluster answers.
pub(super) const BACK: Duration = Duration::from_secs(8);
/// Wide enough for the grace that a set is held for.
const SETTLED: Duration = Duration::from_secs(60);
const INSTANCES: usize = 3;

/// The registrations and callers of all sites.
pub(super) struct Discovery {
    ids: BTreeSet<String>,
    registrations: Vec<Registration>,
    callers: Vec<Caller>,
    _tasks: JoinSet<()>,
}

/// Somebody who has a set of endpoints to call.
#[derive(Clone, Debug)]
struct Caller {
    name: String,
    known: Arc<Mutex<BTreeSet<String>>>,
}

/// Makes an endpoint of an instance, without any connection.
struct Connector;

/// Stands for a connection.
#[derive(Clone, Debug)]
struct Named(EndpointId, Availability);

// === impl Discovery ===

impl Discovery {
    /// Registers some instances at each site, and follows all of them from there.
    pub(super) async fn start(world: &World, dice: &Dice, findings: &Findings) -> Self {
        let mut discovery = Self {
            ids: BTreeSet::new(),
            registrations: Vec::new(),
            callers: Vec::new(),
            _tasks: JoinSet::new(),
        };
        for (at, site) in world.sites.iter().enumerate() {
            discovery.join(at, site, dice, findings).await;
        }
        discovery
    }

    async fn join(&mut self, at: usize, site: &Site, dice: &Dice, findings: &Findings) {
        let registry = Registry::new(Arc::clone(&site.store) as _).dice(dice.clone());
        for number in 0..INSTANCES {
            let id = format!("{at}-{number}");
            let port = u16::try_from(1 + at * INSTANCES + number).unwrap();
            let instance = Instance::new(SERVICE, &id, "10.0.0.1", port).unwrap();
            let registration = registry.register(instance).ttl(TTL).await.unwrap();
            self.registrations.push(registration);
            self.ids.insert(id);
        }
        let caller = Caller {
            name: format!("the caller at site {at}"),
            known: Arc::default(),
        };
        let layer = DiscoverLayer::new(registry, SERVICE).dice(dice.clone());
        self._tasks
            .spawn(caller.clone().follow(layer, findings.clone()));
        self.callers.push(caller);
    }

    /// Waits until each registration is back, and answers how long that took; notes it if it took
    /// too long.
    pub(super) async fn back(&self, world: &World, findings: &Findings) -> Duration {
        let begun = Instant::now();
        loop {
            let missing = match self.listed(world).await {
                Some(listed) => self.ids.difference(&listed).cloned().collect(),
                None => self.ids.clone(),
            };
            if missing.is_empty() {
                return begun.elapsed();
            }
            if begun.elapsed() > BACK {
                findings.add(format_args!("not registered after {BACK:?}: {missing:?}"));
                return begun.elapsed();
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until every caller knows what is listed, which is what was registered.
    pub(super) async fn settle(&self, world: &World, findings: &Findings) {
        let begun = Instant::now();
        loop {
            let listed = self.listed(world).await;
            let differs = |caller: &&Caller| listed.as_ref() != Some(&*caller.lock());
            let differs = self.callers.iter().find(differs);
            if differs.is_none() && listed.as_ref() == Some(&self.ids) {
                return;
            }
            if begun.elapsed() > SETTLED {
                let known = differs.map(|caller| (&caller.name, caller.lock().clone()));
                findings.add(format_args!("{known:?} is known, and {listed:?} is listed"));
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// What can be found now, if the cluster answers.
    async fn listed(&self, world: &World) -> Option<BTreeSet<String>> {
        let registry = Registry::new(Arc::clone(&world.direct) as _);
        let listed = registry.list(SERVICE).await.ok()?;
        Some(listed.iter().map(|it| it.id().to_string()).collect())
    }
}

// === impl Caller ===

impl Caller {
    async fn follow(self, layer: DiscoverLayer, findings: Findings) {
        let mut endpoints = layer.layer(Connector);
        while let Some(Ok(change)) = endpoints.next().await {
            let mut known = self.lock();
            match change {
                Change::Insert(id, _) => known.insert(id.to_string()),
                Change::Remove(id) => known.remove(id.as_str()),
            };
            if known.is_empty() {
                findings.add(format_args!("{} has nobody left to call", self.name));
            }
        }
        findings.add(format_args!("{}: the stream ended", self.name));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Connector ===

impl Service<Instance> for Connector {
    type Response = Named;
    type Error = Infallible;
    type Future = Ready<Result<Named, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, instance: Instance) -> Self::Future {
        ready(Ok(Named(instance.id().clone(), Availability::new())))
    }
}

impl Endpoint for Named {
    fn id(&self) -> &EndpointId {
        &self.0
    }

    fn availability(&self) -> &Availability {
        &self.1
    }
}
