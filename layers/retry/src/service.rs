//! The service: its first attempt goes to the instance that was ready.

use crate::{
    Judge, Repeat, ResponseFuture, Wanted,
    call::Call,
    chain,
    course::Course,
    shared::{Chosen, Common, Shared},
};
use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower_service::Service;
use ziggurat_core::{BoxError, Grpc, clock};

/// Tries calls again; clones share the budget.
pub struct Retry<S, M = Grpc> {
    inner: S,
    common: Arc<Common<S, M>>,
    /// The inner service may have been changed: its own clones make the later attempts.
    changed: bool,
    /// The inner service was asked whether it is ready, and failed: the next call tells.
    failed: Option<BoxError>,
}

// === impl Retry ===

impl<S, M> Retry<S, M> {
    pub(crate) fn new(inner: S, shared: Shared<M>) -> Self
    where
        S: Clone,
    {
        let common = Arc::new(Common::new(shared, inner.clone()));
        Self {
            inner,
            common,
            changed: false,
            failed: None,
        }
    }

    /// What all calls share.
    pub(crate) fn shared(&self) -> &Shared<M> {
        self.common.shared()
    }

    /// What a call that begins now goes by.
    #[inline]
    pub(crate) fn chosen<Req>(&self, request: &Req) -> Chosen<S, M>
    where
        M: Repeat<Req>,
    {
        self.common.chosen(request)
    }

    /// What makes the later attempts, if that is no clone of the service that all calls share.
    #[inline]
    pub(crate) fn again(&self) -> Option<Box<S>>
    where
        S: Clone,
    {
        self.changed.then(|| Box::new(self.inner.clone()))
    }

    /// The service that is called, and what is known of its failure.
    pub(crate) const fn parts(&mut self) -> (&mut S, &mut Option<BoxError>) {
        (&mut self.inner, &mut self.failed)
    }

    /// The service that is called.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service that is called.
    pub const fn get_mut(&mut self) -> &mut S {
        self.changed = true;
        &mut self.inner
    }

    /// The service that is called.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

/// A clone has to be asked anew whether it is ready.
impl<S: Clone, M> Clone for Retry<S, M> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            common: Arc::clone(&self.common),
            changed: self.changed,
            failed: None,
        }
    }
}

impl<S, M, Req> Service<Req> for Retry<S, M>
where
    M: Repeat<Req> + Judge<S::Response>,
    S: Service<M::Request> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S, M, Req>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.failed.is_none()
            && let Err(error) = ready!(self.inner.poll_ready(cx))
        {
            self.failed = Some(error.into());
        }
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let chosen = self.chosen(&request);
        let settings = chosen.settings();
        let mut wanted = chosen.shared().mode.wanted(&request, settings);
        wanted.once = settings.chain_stop && chain::is_again();
        self.start(request, chosen, wanted)
    }
}

impl<S, M> Retry<S, M> {
    /// A call begins, of which it is known what it wants.
    #[inline]
    pub(crate) fn start<Req>(
        &mut self,
        request: Req,
        chosen: Chosen<S, M>,
        wanted: Wanted,
    ) -> ResponseFuture<S, M, Req>
    where
        M: Repeat<Req>,
        S: Service<M::Request> + Clone,
    {
        let now = Course::needs_time(chosen.settings(), &wanted).then(clock::now);
        let again = self.again();
        if let Some(error) = self.failed.take() {
            // A service that failed must not be asked again.
            self.inner = self.inner.clone();
            return ResponseFuture::failed(
                error,
                again,
                Call::failed(chosen, wanted, now, request),
            );
        }
        let (mut call, request) = Call::first(chosen, wanted, now, request);
        let future = call.follow(|| self.inner.call(request));
        ResponseFuture::calling(future, again, call)
    }
}

impl<S: fmt::Debug, M: fmt::Debug> fmt::Debug for Retry<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("inner", &self.inner)
            .field("mode", &self.shared().mode)
            .finish_non_exhaustive()
    }
}
