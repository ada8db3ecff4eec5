//! A discovery and endpoints that do what a test says.

use futures_core::Stream;
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};
use tokio::sync::mpsc;
use tower::discover::Change;
use tower_service::Service;
use ziggurat_core::{Availability, BoxError, Endpoint, EndpointId, Named, Reporter, State};

/// An endpoint around any service.
#[derive(Clone, Debug)]
pub(crate) struct Node<S> {
    id: EndpointId,
    availability: Availability,
    weight: u32,
    inner: S,
}

/// Tells a [`Feed`] what to say.
pub(crate) struct Feeder<E> {
    changes: mpsc::UnboundedSender<Result<Change<EndpointId, E>, BoxError>>,
    pub(crate) polls: Arc<AtomicUsize>,
    pub(crate) dropped: Arc<AtomicBool>,
    panics: Arc<AtomicBool>,
}

/// A discovery that panics when it is polled after its end.
pub(crate) struct Feed<E> {
    changes: mpsc::UnboundedReceiver<Result<Change<EndpointId, E>, BoxError>>,
    polls: Arc<AtomicUsize>,
    dropped: Arc<AtomicBool>,
    panics: Arc<AtomicBool>,
    ended: bool,
}

/// A task that a test awaits, and that ends with it.
pub(crate) struct Task<T>(tokio::task::JoinSet<T>);

pub(crate) fn spawn<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> Task<T> {
    let mut set = tokio::task::JoinSet::new();
    set.spawn(future);
    Task(set)
}

pub(crate) fn feed<E>() -> (Feeder<E>, Feed<E>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let feeder = Feeder {
        changes: sender,
        polls: Arc::default(),
        dropped: Arc::default(),
        panics: Arc::default(),
    };
    let feed = Feed {
        changes: receiver,
        polls: Arc::clone(&feeder.polls),
        dropped: Arc::clone(&feeder.dropped),
        panics: Arc::clone(&feeder.panics),
        ended: false,
    };
    (feeder, feed)
}

/// A discovery that found these, and goes on.
pub(crate) fn found<E: Endpoint>(nodes: impl IntoIterator<Item = E>) -> (Feeder<E>, Feed<E>) {
    let (feeder, feed) = feed();
    for node in nodes {
        feeder.insert(node);
    }
    (feeder, feed)
}

// === impl Task ===

impl<T: 'static> Task<T> {
    pub(crate) async fn end(mut self) -> T {
        self.0.join_next().await.unwrap().unwrap()
    }
}

// === impl Node ===

impl<S> Node<S> {
    pub(crate) fn new(id: &str, inner: S) -> Self {
        Self {
            id: EndpointId::new(id),
            availability: Availability::new(),
            weight: 1,
            inner,
        }
    }

    pub(crate) fn weighing(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    pub(crate) fn report(&self, state: State) {
        self.availability.report(Reporter::Connection, state);
    }

    pub(crate) fn eject(&self) {
        self.availability.report(Reporter::Health, State::Ejected);
    }

    pub(crate) fn heal(&self) {
        self.availability.report(Reporter::Health, State::Ready);
    }

    pub(crate) fn say(&self, by: Reporter, state: State) {
        self.availability.report(by, state);
    }

    pub(crate) fn reported(self, state: State) -> Self {
        self.report(state);
        self
    }
}

impl<S: Clone + Send + Sync + 'static> Endpoint for Node<S> {
    fn id(&self) -> &EndpointId {
        &self.id
    }

    fn availability(&self) -> &Availability {
        &self.availability
    }

    fn weight(&self) -> u32 {
        self.weight
    }
}

impl<S: Service<Req>, Req> Service<Req> for Node<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> S::Future {
        self.inner.call(request)
    }
}

// === impl Feeder ===

impl<E> Clone for Feeder<E> {
    fn clone(&self) -> Self {
        Self {
            changes: self.changes.clone(),
            polls: Arc::clone(&self.polls),
            dropped: Arc::clone(&self.dropped),
            panics: Arc::clone(&self.panics),
        }
    }
}

impl<E: Endpoint> Feeder<E> {
    pub(crate) fn insert(&self, node: E) {
        let change = Change::Insert(node.id().clone(), node);
        self.changes.send(Ok(change)).ok().unwrap();
    }

    pub(crate) fn remove(&self, id: &str) {
        let change = Change::Remove(EndpointId::new(id));
        self.changes.send(Ok(change)).ok().unwrap();
    }

    pub(crate) fn fail(&self) {
        self.changes
            .send(Err("registry is away".into()))
            .ok()
            .unwrap();
    }

    /// The discovery panics when it is polled next.
    pub(crate) fn panic(&self) {
        self.panics.store(true, Ordering::Relaxed);
        self.fail();
    }
}

// === impl Feed ===

impl<E> Named for Feed<E> {
    fn service(&self) -> &str {
        "echo"
    }
}

impl<E> Stream for Feed<E> {
    type Item = Result<Change<EndpointId, E>, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        assert!(!self.ended, "polled after its end");
        assert!(!self.panics.load(Ordering::Relaxed), "on purpose");
        self.polls.fetch_add(1, Ordering::Relaxed);
        let polled = self.changes.poll_recv(cx);
        self.ended = matches!(polled, Poll::Ready(None));
        polled
    }
}

impl<E> Unpin for Feed<E> {}

impl<E> Drop for Feed<E> {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::Relaxed);
    }
}
