//! A connector of scripted endpoints, under a health layer.

use std::{
    future::{Ready, ready},
    task::{Context, Poll},
    time::Duration,
};
use tower::{Layer, Service, ServiceExt};
use ziggurat_core::{
    Availability, BoxError, ByResult, Dice, Endpoint, EndpointId, Instance, State,
};
use ziggurat_health::{Checked, Health, HealthLayer, Settings};
use ziggurat_testkit::{Script, Step};

pub(crate) type Answers = Script<u32, u32>;
pub(crate) type Watched<S = Answers> = Checked<Node<S>, ByResult>;

/// An endpoint around any service.
#[derive(Clone, Debug)]
pub(crate) struct Node<S> {
    id: EndpointId,
    availability: Availability,
    pub(crate) inner: S,
}

/// Makes the endpoints that a test asks for.
#[derive(Clone, Debug)]
pub(crate) struct Connector<S>(pub(crate) S);

// === impl Node ===

impl<S: Clone + Send + Sync + 'static> Endpoint for Node<S> {
    fn id(&self) -> &EndpointId {
        &self.id
    }

    fn availability(&self) -> &Availability {
        &self.availability
    }

    fn weight(&self) -> u32 {
        3
    }

    fn load_hint(&self) -> Option<f64> {
        Some(0.5)
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

// === impl Connector ===

impl<S: Clone> Service<Instance> for Connector<S> {
    type Response = Node<S>;
    type Error = BoxError;
    type Future = Ready<Result<Node<S>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, instance: Instance) -> Self::Future {
        ready(Ok(Node {
            id: instance.id().clone(),
            availability: Availability::new(),
            inner: self.0.clone(),
        }))
    }
}

pub(crate) fn layer() -> HealthLayer<ByResult> {
    HealthLayer::new(Settings::new())
        .classify_with(ByResult)
        .dice(Dice::seeded(1))
}

/// Answers 0 with an answer, 1 with an error, 2 never, 6 with an answer after 6 seconds.
pub(crate) fn answers() -> Answers {
    Script::by(|_, request: &u32| match request {
        0 => Step::answer(0),
        1 => Step::fail_with("no"),
        6 => Step::answer(6).after(Duration::from_secs(6)),
        _ => Step::never(),
    })
}

pub(crate) async fn connect<M, C>(
    connector: &Health<M, C>,
    service: &str,
    id: &str,
) -> Checked<M::Response, C>
where
    Health<M, C>: Service<Instance, Response = Checked<M::Response, C>, Error = BoxError> + Clone,
    M: Service<Instance>,
{
    let instance = Instance::new(service, id, "localhost", 80).unwrap();
    connector.clone().oneshot(instance).await.unwrap()
}

/// The endpoint that any connector makes.
pub(crate) async fn connect_to<M>(connector: M, service: &str, id: &str) -> M::Response
where
    M: Service<Instance, Error = BoxError>,
{
    let instance = Instance::new(service, id, "localhost", 80).unwrap();
    connector.oneshot(instance).await.unwrap()
}

/// A call over HTTP that fails in its head.
pub(crate) async fn fail_http<E, B>(endpoint: &E)
where
    E: Service<http::Request<B>, Error = BoxError> + Clone,
    B: From<String>,
{
    let mut request = http::Request::new(String::new().into());
    let te = http::HeaderValue::from_static("trailers");
    request.headers_mut().insert("te", te);
    drop(endpoint.clone().oneshot(request).await);
}

/// So many endpoints of one service, of one layer value.
pub(crate) async fn endpoints(count: usize) -> Vec<Watched> {
    let connector = layer().layer(Connector(answers()));
    let mut all = Vec::new();
    for n in 0..count {
        all.push(connect(&connector, "users", &format!("e{n}")).await);
    }
    all
}

/// A call that hangs; dropped, it is cancelled.
pub(crate) struct Hanging(tokio::task::JoinSet<()>);

/// A call of this endpoint that has begun and does not end.
pub(crate) async fn hang(endpoint: &Watched) -> Hanging {
    let call = endpoint.clone().oneshot(2);
    let mut set = tokio::task::JoinSet::new();
    set.spawn(async move { drop(call.await) });
    tokio::task::yield_now().await;
    Hanging(set)
}

impl Hanging {
    pub(crate) async fn cancel(mut self) {
        self.0.shutdown().await;
    }
}

pub(crate) async fn succeed(endpoint: &Watched) {
    endpoint.clone().oneshot(0).await.unwrap();
}

pub(crate) async fn fail(endpoint: &Watched, times: usize) {
    for _ in 0..times {
        endpoint.clone().oneshot(1).await.unwrap_err();
    }
}

pub(crate) fn state(endpoint: &impl Endpoint) -> State {
    endpoint.availability().state()
}

/// Lets so much time pass, and timers with it.
pub(crate) async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
