//! The service that the layer makes.

use crate::{
    Body, Faults, Observer, ResponseFuture,
    abort::Caller,
    active::{Active, Count},
    plan::Plan,
};
use http::{HeaderMap, Request, Response};
use std::{
    fmt, mem,
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;
use ziggurat_core::{BoxError, Dice, Live};

/// A service some of whose calls have faults.
///
/// See the [crate docs](crate) for the rules.
#[derive(Clone)]
pub struct Faulty<S> {
    inner: S,
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) faults: Live<Faults>,
    pub(crate) dice: Dice,
    pub(crate) active: Count,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

// === impl Faulty ===

impl<S> Faulty<S> {
    pub(crate) fn new(inner: S, shared: Shared) -> Self {
        Self {
            inner,
            shared: Arc::new(shared),
        }
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

impl<S, A, B> Service<Request<A>> for Faulty<S>
where
    S: Service<Request<A>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = Response<Body<B>>;
    type Error = BoxError;
    type Future = ResponseFuture<S, Request<A>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let Some((plan, active)) = self.shared.choose(request.headers()) else {
            return ResponseFuture::plain(self.inner.call(request));
        };
        // What was polled is what is called, be it later.
        let clone = self.inner.clone();
        let polled = mem::replace(&mut self.inner, clone);
        let caller = Caller::of(request.headers());
        ResponseFuture::planned(plan, active, caller, polled, request)
    }
}

impl<S: fmt::Debug> fmt::Debug for Faulty<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty")
            .field("inner", &self.inner)
            .field("faults", &self.shared.faults)
            .finish_non_exhaustive()
    }
}

// === impl Shared ===

impl Shared {
    /// The faults of a request with these headers, if it is given any.
    fn choose(&self, headers: &HeaderMap) -> Option<(Plan, Active)> {
        let told = self.observer.as_deref().unwrap_or(&());
        let (plan, most) = self
            .faults
            .read(|faults| (faults.plan(headers, &self.dice, told), faults.most()));
        if plan.is_none() {
            return None;
        }
        let active = self.active.begin(most)?;
        plan.tell(told);
        Some((plan, active))
    }
}
