//! What the tests share.

use futures_util::{Stream, StreamExt, stream};
use std::{
    collections::VecDeque,
    future::{Ready, ready},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};
use tokio::sync::mpsc;
use tokio_test::task::Spawn;
use tower::{Layer, Service, discover};
use ziggurat_core::{
    Availability, BoxError, Change, Changes, Endpoint, EndpointId, Instance, Reporter, Resolve,
    State,
};
use ziggurat_discover::{DiscoverLayer, Discovered, Endpoints};

/// An endpoint that remembers the address it was made for.
#[derive(Clone, Debug)]
pub(crate) struct Fake {
    id: EndpointId,
    pub(crate) port: u16,
    pub(crate) availability: Availability,
    /// As many as there are clones of it.
    pub(crate) handles: Arc<()>,
}

/// Makes endpoints at once, and notes of whom.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

/// A source whose streams are in the hands of the test: one after the other.
#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Mutex<VecDeque<mpsc::UnboundedReceiver<Said>>>>);

pub(crate) type Said = Result<Change, BoxError>;
pub(crate) type Say = mpsc::UnboundedSender<Said>;

/// Panics when it is polled after its end.
struct Once<S>(Option<S>);

// === impl Fake ===

impl Fake {
    pub(crate) fn of(instance: &Instance) -> Self {
        Self {
            id: instance.id().clone(),
            port: instance.port(),
            availability: Availability::new(),
            handles: Arc::default(),
        }
    }

    /// As a connector makes it that answers before it is connected.
    pub(crate) fn connecting(instance: &Instance) -> Self {
        let fake = Self::of(instance);
        fake.says(State::Connecting);
        fake
    }

    pub(crate) fn says(&self, state: State) {
        self.availability.report(Reporter::Connection, state);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.availability.reported(Reporter::Registry) == State::Draining
    }
}

impl Endpoint for Fake {
    fn id(&self) -> &EndpointId {
        &self.id
    }

    fn availability(&self) -> &Availability {
        &self.availability
    }
}

// === impl Log ===

impl Log {
    pub(crate) fn note(&self, instance: &Instance) {
        let name = format!("{}:{}", instance.id(), instance.port());
        self.0.lock().unwrap().push(name);
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Service<Instance> for Log {
    type Response = Fake;
    type Error = BoxError;
    type Future = Ready<Result<Fake, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, instance: Instance) -> Self::Future {
        self.note(&instance);
        ready(Ok(Fake::of(&instance)))
    }
}

// === impl Script ===

impl Script {
    /// The next stream says what is sent here.
    pub(crate) fn stream(&self) -> Say {
        let (say, said) = mpsc::unbounded_channel();
        self.0.lock().unwrap().push_back(said);
        say
    }

    /// How many streams were not asked for yet.
    pub(crate) fn unused(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Resolve for Script {
    fn resolve(&self, service: &str) -> Changes {
        assert_eq!(service, "echo");
        let said = self.0.lock().unwrap().pop_front().unwrap();
        let said = stream::unfold(said, |mut said| async {
            said.recv().await.map(|item| (item, said))
        });
        Box::pin(Once(Some(Box::pin(said))))
    }
}

impl<S: Stream + Unpin> Stream for Once<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let inner = self.0.as_mut().expect("polled after its end");
        let item = inner.poll_next_unpin(cx);
        if let Poll::Ready(None) = item {
            self.0 = None;
        }
        item
    }
}

pub(crate) fn at(n: u16, port: u16) -> Instance {
    Instance::new("echo", &format!("i{n:02}"), "10.0.0.1", port).unwrap()
}

pub(crate) fn one(n: u16) -> Instance {
    at(n, n + 1)
}

pub(crate) fn all(instances: impl IntoIterator<Item = Instance>) -> Said {
    Ok(Change::All(instances.into_iter().map(Arc::new).collect()))
}

pub(crate) fn put(instance: Instance) -> Said {
    Ok(Change::Put(Arc::new(instance)))
}

pub(crate) fn remove(n: u16) -> Said {
    Ok(Change::Remove(one(n).id().clone()))
}

/// A layer over one stream that the test speaks on.
pub(crate) fn scripted() -> (Say, DiscoverLayer) {
    let script = Script::default();
    (script.stream(), DiscoverLayer::new(script, "echo"))
}

pub(crate) fn watch<M: Service<Instance>>(
    layer: &DiscoverLayer,
    connector: M,
) -> Spawn<Endpoints<M>> {
    tokio_test::task::spawn(layer.layer(connector))
}

pub(crate) type Event = discover::Change<EndpointId, Discovered<Fake>>;

/// All that is there to be had now.
pub(crate) fn events<M>(endpoints: &mut Spawn<Endpoints<M>>) -> Vec<Event>
where
    Endpoints<M>: Stream<Item = Result<Event, std::convert::Infallible>>,
    M: Service<Instance>,
{
    let mut events = Vec::new();
    while let Poll::Ready(item) = endpoints.poll_next() {
        events.push(item.expect("it never ends").unwrap());
    }
    events
}

/// `+id:port` and `-id`, in order.
pub(crate) fn told<M>(endpoints: &mut Spawn<Endpoints<M>>) -> Vec<String>
where
    Endpoints<M>: Stream<Item = Result<Event, std::convert::Infallible>>,
    M: Service<Instance>,
{
    let name = |event: Event| match event {
        discover::Change::Insert(id, fake) => {
            assert_eq!(&id, fake.id());
            format!("+{id}:{}", fake.get_ref().port)
        }
        discover::Change::Remove(id) => format!("-{id}"),
    };
    events(endpoints).into_iter().map(name).collect()
}
