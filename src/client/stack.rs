//! The order of the client's layers, and why each stands where it does.

use super::{AttemptRequest, ChannelSettings, observer::Active};
use bytes::Bytes;
use http_body_util::Full;
use std::sync::Arc;
use tower::ServiceBuilder;
use ziggurat_balance::{Balance, BalanceLayer, BoxPolicy};
use ziggurat_breaker::{Breaker, BreakerLayer};
use ziggurat_connect::Connection;
use ziggurat_core::{Grpc, KnownWord, Resolve};
use ziggurat_deadline::{DeadlineLayer, WithDeadline};
use ziggurat_discover::{DiscoverLayer, Discovered};
use ziggurat_health::{
    Checked, HealthLayer,
    active::{ActiveLayer, Monitored},
};
use ziggurat_retry::{
    ReplayBody, RetryLayer,
    hedge::{Hedge, HedgeLayer},
};
use ziggurat_trace::{Trace, TraceContext, TraceLayer};

/// What a channel calls. Spelled out, so that nothing is boxed on the way of a call.
pub(super) type Stack = Trace<Breaker<WithDeadline<Hedge<Trace<Pick>>>>>;

/// The service that picks an endpoint for every attempt.
pub(super) type Pick =
    Balance<Discovered<Checked<Monitored<Connection<Body>>>>, Grpc, BoxPolicy<AttemptRequest>>;

type Body = ReplayBody<tonic::body::Body>;

/// Stacks the layers for calls to `service`; the balance comes along, to be looked at.
pub(super) fn stack(
    resolve: Arc<dyn Resolve>,
    service: &str,
    settings: &ChannelSettings,
) -> (Stack, Pick) {
    // By the name that was asked for: who can write to the registry cannot choose another.
    let mut connector = settings.connector.clone().service(service);
    let mut discover = DiscoverLayer::new(resolve, service);
    if let Some(most) = settings.subset {
        discover = discover.subset(most);
    }
    if let Some(feedback) = settings.feedback.clone() {
        discover = discover.feedback(feedback);
    }
    let mut balance = BalanceLayer::new(settings.policy.clone()).settings(settings.balance.clone());
    let mut health = HealthLayer::new(settings.health.clone());
    let mut active: Active = ActiveLayer::new(settings.active_health.clone(), body);
    // The connection tells the server of the time when an attempt leaves, by what is left then.
    let mut retry = RetryLayer::new(settings.retry.clone())
        .tell(false)
        // Of the layer outside.
        .known(KnownWord::of::<TraceContext>());
    if let Some(methods) = settings.retry_by_method.clone() {
        retry = retry.by_method(methods);
    }
    let mut breaker = BreakerLayer::new(settings.breaker.clone());
    let mut deadline = DeadlineLayer::client(settings.deadline.clone()).tell(false);
    if let Some(observer) = settings.observers.of(service) {
        connector = observer.connector(connector);
        discover = observer.discover(discover);
        balance = observer.balance(balance);
        (health, active) = (observer.health(health), observer.active(active));
        (breaker, deadline) = (observer.breaker(breaker), observer.deadline(deadline));
        retry = observer.retry(retry);
    }
    let pick = ServiceBuilder::new()
        .layer(balance)
        .layer(discover)
        // Around the connector: every endpoint that it makes is watched, whoever calls it.
        .layer(health)
        // Inside of the watch over calls: what is asked here is none of them.
        .layer(active)
        .service(connector);
    let mut hedge = HedgeLayer::over(retry, settings.hedge.clone());
    if let Some(methods) = settings.hedge_by_method.clone() {
        hedge = hedge.by_method(methods);
    }
    let stack = ServiceBuilder::new()
        // Outermost: the span of a call covers everything that was done for it.
        .layer(TraceLayer::client().inject(false))
        // Outside the retry: an open circuit costs no retries, and one call is one outcome.
        .layer(breaker)
        // Inside the breaker: a service that hangs is a failure that it sees.
        .layer(deadline)
        // Above the balance: every attempt picks again. A call is hedged or tried again, never both.
        .layer(hedge)
        // What goes out is the attempt's: written once, and not kept for the next one.
        .layer(TraceLayer::attempt().x_trace_id(settings.x_trace_id))
        .service(pick.clone());
    (stack, pick)
}

/// The body of a request that is no call of a user.
fn body(bytes: Bytes) -> Body {
    tonic::body::Body::new(Full::new(bytes)).into()
}
