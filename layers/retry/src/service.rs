//! The service: its first attempt goes to the instance that was ready.

use crate::{
    Budget, Judge, Methods, Observer, Repeat, ReplayRoom, ResponseFuture, Settings, Wanted,
    call::Call, chain, course::Course, latency::Latencies,
};
use std::{
    borrow::Borrow,
    fmt,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower_service::Service;
use ziggurat_core::{BoxError, Dice, Grpc, Live, clock};

/// Tries calls again; clones share the budget.
pub struct Retry<S, M = Grpc> {
    inner: S,
    shared: Arc<Shared<M>>,
    /// The inner service was asked whether it is ready, and failed: the next call tells.
    failed: Option<BoxError>,
}

/// What all calls of a service share.
pub(crate) struct Shared<M> {
    pub(crate) mode: M,
    pub(crate) settings: Live<Settings>,
    /// The settings, if they never change.
    pub(crate) constant: Settings,
    /// Those of some methods, if any have their own.
    pub(crate) methods: Option<Live<Methods<Settings>>>,
    pub(crate) dice: Dice,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) budget: Budget,
    pub(crate) state: Arc<State>,
}

/// The settings of one call, as they were when it began.
pub(crate) struct Chosen<M> {
    pub(crate) shared: Arc<Shared<M>>,
    /// `None`: those of the layer, which never change.
    watched: Option<Arc<Settings>>,
}

/// What all services of a layer share, besides the budget.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) latencies: Latencies,
    pub(crate) room: ReplayRoom,
}

// === impl Retry ===

impl<S, M> Retry<S, M> {
    pub(crate) const fn new(inner: S, shared: Arc<Shared<M>>) -> Self {
        Self {
            inner,
            shared,
            failed: None,
        }
    }

    /// What all calls share.
    pub(crate) const fn shared(&self) -> &Arc<Shared<M>> {
        &self.shared
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
        Self::new(self.inner.clone(), Arc::clone(&self.shared))
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

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.failed.is_none()
            && let Err(error) = ready!(self.inner.poll_ready(cx))
        {
            self.failed = Some(error.into());
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let chosen = Chosen::of(&self.shared, &request);
        let settings = chosen.settings();
        let mut wanted = self.shared.mode.wanted(&request, settings);
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
        chosen: Chosen<M>,
        wanted: Wanted,
    ) -> ResponseFuture<S, M, Req>
    where
        M: Repeat<Req>,
        S: Service<M::Request> + Clone,
    {
        let shared = &*self.shared;
        let settings = chosen.settings();
        let counted = shared.budget.call_at(&settings.rules, clock::now);
        let now = Course::needs_time(settings, &wanted).then(clock::now);
        let kept = shared.mode.keep(request, settings, &shared.state.room);
        let call = Call::new(Course::new(chosen, wanted, now), kept, counted);
        let mut future = ResponseFuture::new(self.inner.clone(), call);
        match self.failed.take() {
            None => future.begin(&mut self.inner, now),
            Some(error) => {
                // A service that failed must not be asked again.
                self.inner = self.inner.clone();
                future.fail(error);
            }
        }
        future
    }
}

impl<S: fmt::Debug, M: fmt::Debug> fmt::Debug for Retry<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("inner", &self.inner)
            .field("mode", &self.shared.mode)
            .finish_non_exhaustive()
    }
}

// === impl Chosen ===

impl<M> Chosen<M> {
    pub(crate) fn of<Req>(shared: &Arc<Shared<M>>, request: &Req) -> Self
    where
        M: Repeat<Req>,
    {
        let own = shared.methods.as_ref().and_then(|methods| {
            let method = shared.mode.method(request);
            methods.read(|methods| methods.find(method).cloned())
        });
        let watched = own.or_else(|| shared.settings.watched());
        let shared = Arc::clone(shared);
        Self { shared, watched }
    }

    pub(crate) fn settings(&self) -> &Settings {
        match &self.watched {
            Some(settings) => settings,
            None => &self.shared.constant,
        }
    }
}

impl<M> Borrow<Settings> for Chosen<M> {
    fn borrow(&self) -> &Settings {
        self.settings()
    }
}

// === impl State ===

impl State {
    pub(crate) fn new() -> Self {
        Self {
            latencies: Latencies::new(),
            room: ReplayRoom::default(),
        }
    }
}
