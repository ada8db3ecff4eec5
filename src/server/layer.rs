//! The whole server order as one layer.

use super::{Exempt, InFlight, Lifecycle};
use http::HeaderName;
use std::fmt;
use tower::{Layer, layer::util::Identity};
use ziggurat_answer::{Answer, AnswerLayer, CatchPanicLayer, panic::CatchPanic};
use ziggurat_core::Live;
use ziggurat_deadline::{self as deadline, DeadlineLayer, WithDeadline};
use ziggurat_retry::chain::{ChainLayer, WithChain};
use ziggurat_trace::{Trace, TraceLayer};
use ziggurat_trust::TrustLayer;

/// What stands between the socket and a handler: see the [module](super) for the order, and why.
///
/// Whom it believes has no default: it is made for the [`edge`](ServerLayer::edge) or for servers that are
/// [`internal`](ServerLayer::internal).
///
/// A layer for tonic's `Server::builder().layer(..)` and axum's `Router::layer(..)`. Clones of one value,
/// and all the services, connections and routes that it wraps, share its limits and its lifecycle.
///
/// # Defaults
///
/// Callers that name no timeout have none, and none is too long. No limit.
/// A lifecycle of its own, which nobody ends. Panics are caught. What is called to serve somebody's
/// further attempt is called once ([`chain`](crate::retry::chain)).
#[derive(Clone)]
pub struct ServerLayer<T = Identity, L = Identity, C = Identity> {
    steps: Steps,
    trust: T,
    rate_limit: L,
    concurrency: C,
}

/// The steps that every server has.
#[derive(Clone, Debug)]
struct Steps {
    trace: TraceLayer,
    lifecycle: Lifecycle,
    answer: AnswerLayer,
    deadline: DeadlineLayer,
}

/// What a [`ServerLayer`] makes around the handler `S`, and around `L`, which is the handler with its
/// limits: the steps that it always has.
pub type Stack<L, S> = Trace<InFlight<Answer<CatchPanic<WithDeadline<WithChain<Exempt<L, S>>>>>>>;

// === impl ServerLayer ===

impl ServerLayer {
    /// Behind servers of ours, which no stranger can reach: whatever a caller says is believed, how
    /// critical its calls are and that they are further attempts included.
    ///
    /// Where strangers share the network, [`trust`](Self::trust) tells them from friends:
    /// [`TrustLayer::internal`] believes peers in some networks, or with a certificate.
    #[must_use]
    pub fn internal() -> Self {
        Self {
            steps: Steps::new(),
            trust: Identity::new(),
            rate_limit: Identity::new(),
            concurrency: Identity::new(),
        }
    }
}

impl ServerLayer<TrustLayer> {
    /// Where browsers, partners and whoever else call, as they call most servers of axum: a caller is a
    /// stranger, and what it may not say is dropped, lowered or bounded before anything believes it.
    ///
    /// It is [`internal`](ServerLayer::internal) with [`TrustLayer::edge`] and the defaults of its
    /// [settings](crate::trust::Settings); behind proxies, whose word on addresses counts, give one of
    /// your own to [`trust`](Self::trust).
    #[must_use]
    pub fn edge() -> Self {
        ServerLayer::internal().trust(TrustLayer::edge(crate::trust::Settings::new()))
    }
}

impl<T, L, C> ServerLayer<T, L, C> {
    /// How long requests may take: the timeout of callers that name none, and what nobody exceeds.
    ///
    /// A stream is one call, from its request to its last byte.
    #[must_use]
    pub fn deadline(mut self, settings: impl Into<Live<deadline::Settings>>) -> Self {
        self.steps.deadline = self.steps.deadline.settings(settings);
        self
    }

    /// Callers may say in this header too how long they wait, as whole milliseconds: for those who
    /// speak no gRPC, as `grpc-timeout` is believed in any case.
    #[must_use]
    pub fn deadline_header(mut self, name: HeaderName) -> Self {
        self.steps.deadline = self.steps.deadline.header(name);
        self
    }

    /// Tells callers in `x-trace-id` which trace their call belonged to.
    #[must_use]
    pub fn x_trace_id(mut self, tell: bool) -> Self {
        self.steps.trace = self.steps.trace.x_trace_id(tell);
        self
    }

    /// Counts what is in flight here, and drains with it.
    #[must_use]
    pub fn lifecycle(mut self, lifecycle: &Lifecycle) -> Self {
        self.steps.lifecycle = lifecycle.clone();
        self
    }

    /// Decides, before anything further in believes a header, what this caller may say: a
    /// [`TrustLayer`], in the place of the one before. It stands outside of the answers, so it must not
    /// fail.
    #[must_use]
    pub fn trust<U>(self, trust: U) -> ServerLayer<U, L, C> {
        ServerLayer {
            steps: self.steps,
            trust,
            rate_limit: self.rate_limit,
            concurrency: self.concurrency,
        }
    }

    /// Limits the rate of requests, but for health checks of gRPC: a [`RateLimitLayer`](crate::limit::RateLimitLayer), several of
    /// them in a `ServiceBuilder`, or a layer of your own.
    #[must_use]
    pub fn rate_limit<U>(self, rate_limit: U) -> ServerLayer<T, U, C> {
        ServerLayer {
            steps: self.steps,
            trust: self.trust,
            rate_limit,
            concurrency: self.concurrency,
        }
    }

    /// Limits how many requests are served at once, but for health checks of gRPC, and sheds the rest: a
    /// [`ConcurrencyLayer`](crate::concurrency::ConcurrencyLayer). It stands next to the handler.
    ///
    /// One that finds its limit by itself reads how calls end as gRPC does; behind axum let it
    /// `classify_with` [`Http`](crate::core::Http).
    #[must_use]
    pub fn concurrency<U>(self, concurrency: U) -> ServerLayer<T, L, U> {
        ServerLayer {
            steps: self.steps,
            trust: self.trust,
            rate_limit: self.rate_limit,
            concurrency,
        }
    }

    /// Tells `observer` which errors were answered: rejections by their code, panics as INTERNAL.
    #[must_use]
    pub fn observe_answers_with(mut self, observer: impl ziggurat_answer::Observer) -> Self {
        self.steps.answer = self.steps.answer.observe_with(observer);
        self
    }

    /// Tells `observer` which calls ran out of time, and whose timeouts make no sense.
    #[must_use]
    pub fn observe_deadlines_with(mut self, observer: impl deadline::Observer) -> Self {
        self.steps.deadline = self.steps.deadline.observe_with(observer);
        self
    }
}

impl<S, T, L, C> Layer<S> for ServerLayer<T, L, C>
where
    S: Clone,
    C: Layer<S>,
    L: Layer<C::Service>,
    T: Layer<Stack<L::Service, S>>,
{
    type Service = T::Service;

    /// Inner to outer.
    fn layer(&self, handler: S) -> Self::Service {
        let Steps {
            trace,
            lifecycle,
            answer,
            deadline,
        } = &self.steps;
        let inner = self.concurrency.layer(handler.clone());
        let inner = self.rate_limit.layer(inner);
        let inner = Exempt::new(inner, handler);
        let inner = ChainLayer::new().layer(inner);
        let inner = deadline.layer(inner);
        let inner = CatchPanicLayer::new().layer(inner);
        let inner = answer.layer(inner);
        // Counts and times of whole calls belong here as well, once there is a layer for them.
        let inner = InFlight::new(inner, lifecycle);
        let inner = trace.layer(inner);
        self.trust.layer(inner)
    }
}

impl<T, L, C> fmt::Debug for ServerLayer<T, L, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerLayer")
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

// === impl Steps ===

impl Steps {
    /// Traces, counts, answers, and keeps the deadlines of callers.
    fn new() -> Self {
        Self {
            trace: TraceLayer::server(),
            lifecycle: Lifecycle::default(),
            answer: AnswerLayer::new(),
            deadline: DeadlineLayer::server(),
        }
    }
}
