//! The service: hedges what is to be hedged, and leaves the rest to the retry inside.

use super::{ResponseFuture, Settings, start::Start};
use crate::{Judge, Methods, Repeat, Retry, chain, latency::Latencies};
use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;
use ziggurat_core::{BoxError, Grpc, Live};

/// Makes slow calls once more beside themselves; clones share the budget.
pub struct Hedge<S, M = Grpc> {
    retry: Retry<S, M>,
    hedging: Arc<Hedging>,
}

/// What all calls of a service share, besides what those of the retry share.
#[derive(Debug)]
pub(super) struct Hedging {
    pub(super) settings: Live<Settings>,
    /// The settings, if they never change.
    pub(super) constant: Settings,
    /// Those of some methods, if any have their own.
    pub(super) methods: Option<Live<Methods<Settings>>>,
    pub(super) latencies: Arc<Latencies>,
}

// === impl Hedge ===

impl<S, M> Hedge<S, M> {
    pub(super) const fn new(retry: Retry<S, M>, hedging: Arc<Hedging>) -> Self {
        Self { retry, hedging }
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
        Self::new(self.retry.clone(), Arc::clone(&self.hedging))
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

    fn call(&mut self, request: Req) -> Self::Future {
        let method = self.retry.shared().mode.method(&request);
        let watched = self.hedging.watched(method);
        let settings = self.hedging.or_constant(&watched);
        if !settings.covers(method) {
            return ResponseFuture::retrying(self.retry.call(request));
        }
        let chosen = self.retry.chosen(&request);
        let (mode, own) = (&chosen.shared().mode, chosen.settings());
        let mut wanted = if settings.any_call {
            mode.wanted(&request, &own.assume_idempotent(true))
        } else {
            mode.wanted(&request, own)
        };
        wanted.once = own.chain_stop && chain::is_again();
        if !wanted.idempotent || wanted.once {
            return ResponseFuture::retrying(self.retry.start(request, chosen, wanted));
        }
        let (hedging, again) = (Arc::clone(&self.hedging), self.retry.again());
        let (inner, failed) = self.retry.parts();
        let (start, request) = Start::first(chosen, hedging, watched, wanted, again, request);
        let first = match failed.take() {
            None => Ok(inner.call(request)),
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
            .field("settings", &self.hedging.settings)
            .finish_non_exhaustive()
    }
}

// === impl Hedging ===

impl Hedging {
    /// The settings of a call of which it is known whether it has others.
    pub(super) fn or_constant<'s>(&'s self, watched: &'s Option<Arc<Settings>>) -> &'s Settings {
        watched.as_deref().unwrap_or(&self.constant)
    }

    /// The settings of a call, if they are its method's own or may change.
    fn watched(&self, method: Option<&str>) -> Option<Arc<Settings>> {
        let own = self.methods.as_ref();
        let own = own.and_then(|methods| methods.read(|methods| methods.find(method).cloned()));
        own.or_else(|| self.settings.watched())
    }
}
