//! The service: its first attempt goes to the instance that was ready.

use crate::{
    Beginning, Judge, Repeat, ResponseFuture, Wanted,
    call::{Call, Further},
    chain,
    course::Course,
    future::Spare,
    hedge::Hedging,
    shared::{Chosen, Common, Shared},
};
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower_service::Service;
use ziggurat_core::{Attempt, BoxError, Grpc, Trail, Tried, clock};

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
    pub(crate) fn new(inner: S, shared: Shared<M>, hedging: Hedging) -> Self
    where
        S: Clone,
    {
        let common = Arc::new(Common::new(shared, inner.clone(), hedging));
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

    /// How its calls are hedged.
    pub(crate) fn hedging(&self) -> &Hedging {
        self.common.hedging()
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
    pub(crate) fn again(&self) -> Option<S>
    where
        S: Clone,
    {
        self.changed.then(|| self.inner.clone())
    }

    #[inline]
    fn spare<Rsp>(&self) -> Option<Pin<Box<Spare<S, Rsp>>>>
    where
        S: Clone,
    {
        self.again().map(|again| Box::pin(Spare::of(again)))
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
    /// A call that might have been hedged begins.
    // Apart, so that what is written once for most calls is written in their place.
    #[inline(never)]
    pub(crate) fn start_unhedged<Req>(
        &mut self,
        request: Req,
        chosen: Chosen<S, M>,
        wanted: Wanted,
    ) -> ResponseFuture<S, M, Req>
    where
        M: Repeat<Req>,
        S: Service<M::Request> + Clone,
    {
        self.start(request, chosen, wanted)
    }

    /// A call begins, of which it is known what it wants.
    #[inline(always)]
    fn start<Req>(
        &mut self,
        mut request: Req,
        chosen: Chosen<S, M>,
        wanted: Wanted,
    ) -> ResponseFuture<S, M, Req>
    where
        M: Repeat<Req>,
        S: Service<M::Request> + Clone,
    {
        if self.failed.is_some() {
            return self.fail(request, chosen, wanted);
        }
        // All that can fail comes before the call: what comes of that is written once, in its place.
        let spare = self.spare();
        let (shared, settings) = (chosen.shared(), chosen.settings());
        let counted = shared.budget.call_at(&settings.rules, clock::now);
        let now = Course::needs_time(settings, &wanted).then(clock::now);
        let begins = Beginning::of(&chosen, &wanted, now);
        let mut further = None;
        let attempt = || Further::tried(&mut further);
        let mut kept = shared.mode.prepare(&mut request, &begins, attempt);
        let due =
            now.and_then(|now| Call::<S, M, Req>::first_due(shared, settings, wanted, &kept, now));
        let mut trail = Trail::new();
        let following = trail.enter();
        let future = self
            .inner
            .call(shared.mode.first(request, &mut kept, &begins));
        drop(following);
        let course = Course::new(chosen, wanted, now);
        let call = Call::begun(course, kept, counted, trail, further, (now, due));
        ResponseFuture::calling(future, spare, call)
    }

    /// A call begins with a service that has failed to be ready.
    #[cold]
    fn fail<Req>(
        &mut self,
        mut request: Req,
        chosen: Chosen<S, M>,
        wanted: Wanted,
    ) -> ResponseFuture<S, M, Req>
    where
        M: Repeat<Req>,
        S: Service<M::Request> + Clone,
    {
        let (shared, settings) = (chosen.shared(), chosen.settings());
        let counted = shared.budget.call_at(&settings.rules, clock::now);
        let now = Course::needs_time(settings, &wanted).then(clock::now);
        let begins = Beginning::of(&chosen, &wanted, now);
        let attempt = || Attempt::new(1, Tried::new());
        let mut kept = shared.mode.prepare(&mut request, &begins, attempt);
        drop(shared.mode.first(request, &mut kept, &begins));
        let call = Call::unmade(Course::new(chosen, wanted, now), kept, counted);
        let (error, spare) = (self.failed.take(), self.spare());
        // A service that failed must not be asked again.
        self.inner = self.inner.clone();
        ResponseFuture::unready(error, spare, call)
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
