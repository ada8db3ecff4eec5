//! The service that the layer makes.

use crate::{
    Exceeded, Observer, ResponseFuture, Settings, local,
    mode::{Cover, Due, Http, Stamp, Timer},
    observer::Told,
};
use std::{
    fmt,
    task::{Context, Poll},
};
use tower_service::Service;
use ziggurat_core::{BoxError, Live, clock};

/// A service whose calls end at their deadline.
///
/// See the [crate docs](crate) for the rules.
#[derive(Clone)]
pub struct WithDeadline<S, M = Http> {
    inner: S,
    // By value: clones that count the references to one place pay for one another.
    rules: Rules<M>,
}

/// How long calls may take, where they say so, and who is told.
#[derive(Clone)]
pub(crate) struct Rules<M> {
    pub(crate) settings: Live<Settings>,
    pub(crate) mode: M,
    pub(crate) observer: Told,
}

// === impl WithDeadline ===

impl<S, M> WithDeadline<S, M> {
    pub(crate) const fn new(inner: S, rules: Rules<M>) -> Self {
        Self { inner, rules }
    }

    /// The service inside.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Takes the service out.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, M, Req> Service<Req> for WithDeadline<S, M>
where
    S: Service<Req>,
    S::Error: Into<BoxError>,
    M: Stamp<Req> + Cover<S::Response>,
{
    type Response = <M as Cover<S::Response>>::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future, M>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    // A call that is built where it is kept: moved, it costs more than all the rest of it.
    #[inline(always)]
    fn call(&mut self, mut request: Req) -> Self::Future {
        let _holding = M::ASKS.then(clock::holding);
        let rules = &self.rules;
        let settings = rules.settings.get();
        let due = rules.mode.stamp(&mut request, &settings, &rules.observer);
        if matches!(due, Some(Due::At { left, .. }) if left.is_zero()) {
            not_sent(&rules.observer);
            return ResponseFuture::not_sent();
        }
        let timer = due.map(|due| Timer::new(due, rules.mode.scoped(), rules.observer.clone()));
        // Until the call is made, and no function around it: for that, a request is moved twice.
        let _current = local::enter(timer.as_ref().and_then(Timer::scope));
        ResponseFuture::sent(self.inner.call(request), timer)
    }
}

impl<S: fmt::Debug, M: fmt::Debug> fmt::Debug for WithDeadline<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithDeadline")
            .field("inner", &self.inner)
            .field("settings", &self.rules.settings)
            .field("mode", &self.rules.mode)
            .finish_non_exhaustive()
    }
}

#[cold]
#[inline(never)]
fn not_sent(observer: &Told) {
    observer.exceeded(&Exceeded::before_sending());
}
