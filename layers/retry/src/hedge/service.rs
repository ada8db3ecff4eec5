//! The service: hedges what is to be hedged, and leaves the rest to the retry inside.

use super::{ResponseFuture, Settings, start::Start};
use crate::{
    Judge, Methods, Repeat, Retry, chain,
    latency::{Latencies, Latency},
};
use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;
use ziggurat_core::{BoxError, Grpc, Live};

/// Makes slow calls once more beside themselves; clones share the budget.
pub struct Hedge<S, M = Grpc> {
    /// It knows how its calls are hedged.
    retry: Retry<S, M>,
}

/// What all calls of a service share, besides what those of the retry share.
#[derive(Debug)]
pub(crate) struct Hedging {
    pub(super) settings: Live<Settings>,
    /// The settings, if they never change.
    pub(super) constant: Settings,
    /// Those of some methods, if any have their own.
    pub(super) methods: Option<Live<Methods<Settings>>>,
    /// `None`: there is nothing to measure.
    pub(super) latencies: Option<Arc<Latencies>>,
}

// === impl Hedge ===

impl<S, M> Hedge<S, M> {
    pub(super) const fn new(retry: Retry<S, M>) -> Self {
        Self { retry }
    }

    /// The service that is called.
    pub const fn get_ref(&self) -> &S {
        self.retry.get_ref()
    }

    /// The service that is called.
    pub const fn get_mut(&mut self) -> &mut S {
        self.retry.get_mut()
    }

    /// The service that is called.
    pub fn into_inner(self) -> S {
        self.retry.into_inner()
    }
}

/// A clone has to be asked anew whether it is ready.
impl<S: Clone, M> Clone for Hedge<S, M> {
    fn clone(&self) -> Self {
        Self::new(self.retry.clone())
    }
}

impl<S, M, Req> Service<Req> for Hedge<S, M>
where
    M: Repeat<Req> + Judge<S::Response>,
    S: Service<M::Request> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S, M, Req>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.retry.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let chosen = self.retry.chosen(&request);
        let (mode, own) = (&chosen.shared().mode, chosen.settings());
        let covering = chosen.hedging().covering(mode.method(&request));
        let mut wanted = match covering {
            Some((_, true)) => mode.wanted(&request, &own.assume_idempotent(true)),
            _ => mode.wanted(&request, own),
        };
        wanted.once = own.chain_stop && chain::is_again();
        let watched = match covering {
            Some((watched, _)) if wanted.idempotent && !wanted.once => watched,
            _ => {
                return ResponseFuture::retrying(
                    self.retry.start_unhedged(request, chosen, wanted),
                );
            }
        };
        let again = self.retry.again();
        let (inner, failed) = self.retry.parts();
        let (mut start, request) = Start::first(chosen, watched, wanted, again, request);
        let first = match failed.take() {
            None => Ok(start.follow(|| inner.call(request))),
            Some(error) => {
                // A service that failed must not be asked again.
                *inner = inner.clone();
                Err(error)
            }
        };
        ResponseFuture::hedging(first, start)
    }
}

impl<S: fmt::Debug, M: fmt::Debug> fmt::Debug for Hedge<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hedge")
            .field("retry", &self.retry)
            .field("settings", &self.retry.hedging().settings)
            .finish_non_exhaustive()
    }
}

// === impl Hedging ===

impl Hedging {
    /// No call is hedged.
    pub(crate) fn off() -> Self {
        let off = Settings::off();
        Self {
            settings: Live::fixed(off),
            constant: off,
            methods: None,
            latencies: None,
        }
    }

    /// How long the first attempts of this method took.
    pub(super) fn latency(&self, method: u64) -> Option<&Latency> {
        let latencies = self.latencies.as_ref();
        latencies.map(|latencies| latencies.of(method))
    }

    /// The settings of a call of which it is known whether it has others.
    pub(super) fn or_constant<'s>(&'s self, watched: &'s Option<Arc<Settings>>) -> &'s Settings {
        watched.as_deref().unwrap_or(&self.constant)
    }

    /// The settings of a call that is hedged if it may be made twice, and whether all may. `None`: it is
    /// not hedged; or, for the settings, they are those [of the layer](Self::or_constant).
    #[inline]
    fn covering(&self, method: Option<&str>) -> Option<(Option<Arc<Settings>>, bool)> {
        let watched = self.watched(method);
        let settings = self.or_constant(&watched);
        let any_call = settings.any_call;
        settings.covers(method).then_some((watched, any_call))
    }

    /// The settings of a call, if they are its method's own or may change.
    #[inline]
    fn watched(&self, method: Option<&str>) -> Option<Arc<Settings>> {
        let own = self.methods.as_ref();
        let own = own.and_then(|methods| methods.read(|methods| methods.find(method).cloned()));
        own.or_else(|| self.settings.watched())
    }
}
