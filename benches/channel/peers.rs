//! What a service would use instead, each by its best settings.
//!
//! Retries of tower and of tower-resilience stand above the generated client, where a request can be
//! cloned: below it they would find a body that cannot, and do nothing.

use super::{
    budgeted::Budgeted,
    subject::{Problem, Subject},
};
use bytes::Bytes;
use http::Request;
use std::{fmt::Debug, net::SocketAddr, time::Duration};
use tonic::{
    Response,
    body::Body,
    transport::{Channel, Endpoint},
};
use tower::{
    Service, ServiceBuilder, ServiceExt,
    balance::p2c::Balance,
    buffer::Buffer,
    discover::ServiceList,
    load::{CompleteOnResponse, PeakEwma},
    service_fn,
};
use tower_resilience_bulkhead::BulkheadLayer;
use tower_resilience_circuitbreaker::CircuitBreakerLayer;
use tower_resilience_retry::{RetryBudgetBuilder, RetryLayer};
use tower_resilience_timelimiter::TimeLimiterLayer;
use ziggurat_testkit::{EchoClient, EchoReply, EchoRequest};

type Reply = Response<EchoReply>;

/// Ours has the same.
const LIMIT: Duration = Duration::from_secs(30);
/// More than there are callers.
const PERMITS: usize = 1024;

/// One connection to the first of the servers, and nothing around it.
pub(crate) async fn tonic(addresses: &[SocketAddr]) -> Result<Subject, Problem> {
    let client = EchoClient::new(first(addresses).await?);
    Ok(Subject::new("tonic", move |request| {
        let mut client = client.clone();
        async move { Ok(client.unary(request).await?) }
    }))
}

/// tonic's own balance over all servers.
pub(crate) fn tonic_balance(addresses: &[SocketAddr]) -> Result<Subject, Problem> {
    let endpoints = endpoints(addresses)?;
    let client = EchoClient::new(Channel::balance_list(endpoints.into_iter()));
    Ok(Subject::new("tonic-balance", move |request| {
        let mut client = client.clone();
        async move { Ok(client.unary(request).await?) }
    }))
}

/// A timeout, retries within a budget, and power of two choices by latency, which a client can only
/// share through a buffer.
pub(crate) fn tower(addresses: &[SocketAddr]) -> Result<Subject, Problem> {
    let (rtt, decay) = (Duration::from_millis(1), Duration::from_secs(10));
    let measured = |endpoint: Endpoint| {
        let (channel, done) = (endpoint.connect_lazy(), CompleteOnResponse::default());
        PeakEwma::new(channel, rtt, decay.as_nanos() as f64, done)
    };
    let channels: Vec<_> = endpoints(addresses)?.into_iter().map(measured).collect();
    let balance = Balance::new(ServiceList::new(channels));
    let stack = ServiceBuilder::new()
        .timeout(LIMIT)
        .retry(Budgeted::default())
        .service(generated(Buffer::new(balance, PERMITS)));
    Ok(stacked("tower", stack))
}

/// A timeout, a bulkhead, a circuit breaker and retries within a budget over one connection: it has
/// no balance.
pub(crate) async fn tower_resilience(addresses: &[SocketAddr]) -> Result<Subject, Problem> {
    let limiter = TimeLimiterLayer::builder().timeout_duration(LIMIT).build();
    let bulkhead = BulkheadLayer::builder().max_concurrent_calls(PERMITS);
    let breaker = CircuitBreakerLayer::builder()
        .failure_rate_threshold(0.5)
        .sliding_window_size(100);
    let budget = RetryBudgetBuilder::new().token_bucket();
    let retry = RetryLayer::<EchoRequest, Reply, Problem>::builder()
        .max_attempts(3)
        .budget(budget.build()?);
    let stack = ServiceBuilder::new()
        .layer(limiter)
        .layer(bulkhead.build()?)
        .layer(breaker.build()?)
        .layer(retry.build())
        .service(generated(first(addresses).await?));
    Ok(stacked("tower-resilience", stack))
}

/// The generated client as a service of messages.
fn generated<S, B>(
    service: S,
) -> impl Service<EchoRequest, Response = Reply, Error = Problem, Future: Send> + Clone + Send + 'static
where
    S: Service<Request<Body>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<Problem> + Send + Sync,
    S::Future: Send,
    B: tonic::codegen::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Problem> + Send + Sync,
{
    let client = EchoClient::new(service);
    service_fn(move |request| {
        let mut client = client.clone();
        async move { Ok(client.unary(request).await?) }
    })
}

/// A stack of which every call gets a clone.
fn stacked<S>(name: &'static str, stack: S) -> Subject
where
    S: Service<EchoRequest, Response = Reply, Error: Debug, Future: Send> + Clone + Send + 'static,
    S::Error: Send,
{
    Subject::new(name, move |request| {
        let answer = stack.clone().oneshot(request);
        async move { answer.await.map_err(|error| format!("{error:?}").into()) }
    })
}

async fn first(addresses: &[SocketAddr]) -> Result<Channel, Problem> {
    let endpoints = endpoints(addresses)?;
    let first = endpoints.first().ok_or("no servers")?;
    Ok(first.connect().await?)
}

fn endpoints(addresses: &[SocketAddr]) -> Result<Vec<Endpoint>, Problem> {
    let endpoint = |address: &SocketAddr| Endpoint::from_shared(format!("http://{address}"));
    Ok(addresses.iter().map(endpoint).collect::<Result<_, _>>()?)
}
