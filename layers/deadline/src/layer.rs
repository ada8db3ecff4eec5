//! What a stack is built with.

use crate::{
    Observer, Settings, WithDeadline,
    mode::{Http, Values},
    observer::Told,
    service::Rules,
};
use http::HeaderName;
use std::fmt;
use tower_layer::Layer;
use ziggurat_core::Live;

/// Gives every call of the services that it wraps one deadline.
#[derive(Clone)]
pub struct DeadlineLayer<M = Http> {
    settings: Live<Settings>,
    mode: M,
    observer: Told,
}

// === impl DeadlineLayer ===

impl DeadlineLayer {
    /// For a client: [`client`](Self::client).
    pub fn new(settings: impl Into<Live<Settings>>) -> Self {
        Self::client(settings)
    }

    /// For a client of HTTP or gRPC: calls are over when the earliest deadline in sight has passed.
    ///
    /// In sight are [`CallOptions`](ziggurat_core::CallOptions), a
    /// [`Deadline`](ziggurat_core::Deadline) in the request's extensions and its `grpc-timeout`; if
    /// there is none of these, the timeout of the settings; in any case, their maximum and the
    /// deadline of the request that is [being served](crate::current).
    pub fn client(settings: impl Into<Live<Settings>>) -> Self {
        Self::with(settings.into(), Http::client())
    }

    /// For a server of HTTP or gRPC: requests are over when their callers say so.
    ///
    /// Callers say so in `grpc-timeout`, or in a [`Deadline`](ziggurat_core::Deadline) extension
    /// when they are of the same process. A `grpc-timeout` that makes no sense counts as none; of two, the
    /// smaller counts.
    ///
    /// # Defaults
    ///
    /// No [settings](Self::settings): callers that name no timeout have none, and none is too long.
    #[must_use]
    pub fn server() -> Self {
        Self::with(Live::default(), Http::server())
    }

    /// Reads (as a server) or writes (as a client of what is not gRPC) the time that is left in
    /// this header too, as whole milliseconds.
    #[must_use]
    pub fn header(mut self, name: HeaderName) -> Self {
        self.mode = self.mode.header(name);
        self
    }

    /// Writes the time that is left into requests, as a client. On; off, for a stack whose connection
    /// writes it when a request leaves, as `ziggurat-connect` does.
    #[must_use]
    pub fn tell(mut self, write: bool) -> Self {
        self.mode = self.mode.telling(write);
        self
    }
}

impl DeadlineLayer<Values> {
    /// For calls of any type: the earlier of the settings' timeout and the deadline of the request
    /// that is [being served](crate::current).
    ///
    /// If neither that nor the request sets a deadline, the timeout begins when the call waits for the
    /// first time: a call that never waits asks for no time.
    pub fn values(settings: impl Into<Live<Settings>>) -> Self {
        Self::with(settings.into(), Values::default())
    }

    /// Finds deadlines in requests by `carry`, which stand in for the settings' timeout, and writes
    /// the call's own into them.
    #[must_use]
    pub fn carry_with<C>(self, carry: C) -> DeadlineLayer<Values<C>> {
        DeadlineLayer {
            settings: self.settings,
            mode: Values(carry),
            observer: self.observer,
        }
    }
}

impl<M> DeadlineLayer<M> {
    /// Bounds calls by these settings from now on.
    #[must_use]
    pub fn settings(mut self, settings: impl Into<Live<Settings>>) -> Self {
        self.settings = settings.into();
        self
    }

    /// Tells `observer` what happens.
    #[must_use]
    pub fn observe_with(mut self, observer: impl Observer) -> Self {
        self.observer = Told::by(observer);
        self
    }

    fn with(settings: Live<Settings>, mode: M) -> Self {
        Self {
            settings,
            mode,
            observer: Told::default(),
        }
    }
}

impl<S, M: Clone> Layer<S> for DeadlineLayer<M> {
    type Service = WithDeadline<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        let rules = Rules {
            settings: self.settings.clone(),
            mode: self.mode.clone(),
            observer: self.observer.clone(),
        };
        WithDeadline::new(inner, rules)
    }
}

impl<M: fmt::Debug> fmt::Debug for DeadlineLayer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadlineLayer")
            .field("settings", &self.settings)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
