//! A service that fails the test when it is called without being ready.

mod future;
mod gate;
mod handler;

pub use self::{
    future::ResponseFuture,
    gate::Gate,
    handler::{Echo, Handler},
};

use crate::BoxError;
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_service::Service;

/// Panics when `call` reaches an instance whose last event was not `poll_ready` == `Ready(Ok)`.
///
/// A clone starts unready, as the clone of a service that reserves something must. Errors are boxed, never wrapped.
pub struct Strict<S> {
    inner: S,
    state: State,
    gate: Gate,
    pending_first: usize,
    pending_left: usize,
    permits: Option<Permits>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Cloned,
    Pending,
    Ready,
    Failed,
    Called,
}

/// A reservation that `poll_ready` makes, as `tower::limit::ConcurrencyLimit` does.
struct Permits {
    semaphore: Arc<Semaphore>,
    waiting: Option<Acquire>,
    held: Option<OwnedSemaphorePermit>,
}

type Acquire = Pin<Box<dyn Future<Output = OwnedSemaphorePermit> + Send + Sync>>;

// === impl Strict ===

impl<F> Strict<Handler<F>> {
    /// Answers with what `handler` makes of a request.
    pub fn new<Req, Fut, Rsp>(handler: F) -> Self
    where
        F: Fn(Req) -> Fut,
        Fut: Future<Output = Result<Rsp, BoxError>>,
    {
        Self::around(Handler::new(handler))
    }
}

impl Strict<Echo> {
    /// Answers with the request itself.
    #[must_use]
    pub fn echo() -> Self {
        Self::around(Echo)
    }
}

impl<S> Strict<S> {
    /// Answers with what `inner` answers, and asks `inner` too whether it is ready.
    pub fn around(inner: S) -> Self {
        Self {
            inner,
            state: State::New,
            gate: Gate::default(),
            pending_first: 0,
            pending_left: 0,
            permits: None,
        }
    }

    /// Reserves one of `permits` in `poll_ready`: dropping the service gives it back, and after `call` dropping the call's future does.
    #[must_use]
    pub fn permits(mut self, permits: Arc<Semaphore>) -> Self {
        self.permits = Some(Permits::new(permits));
        self
    }

    /// Makes every instance, and each clone anew, answer Pending (and wake at once) on its first `polls` polls.
    #[must_use]
    pub const fn pending_first(mut self, polls: usize) -> Self {
        self.pending_first = polls;
        self.pending_left = polls;
        self
    }

    /// Lets the test hold `poll_ready` back, or fail it, at any time, for all clones.
    #[must_use]
    pub fn gate(mut self, gate: &Gate) -> Self {
        self.gate = gate.clone();
        self
    }

    fn poll_inner<Req>(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>>
    where
        S: Service<Req>,
        S::Error: Into<BoxError>,
    {
        ready!(self.gate.poll(cx))?;
        if self.pending_left > 0 {
            self.pending_left -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        ready!(self.inner.poll_ready(cx)).map_err(Into::into)?;
        match &mut self.permits {
            Some(permits) => permits.poll(cx).map(Ok),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl<S, Req> Service<Req> for Strict<S>
where
    S: Service<Req>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let polled = self.poll_inner(cx);
        self.state = match &polled {
            Poll::Pending => State::Pending,
            Poll::Ready(Ok(())) => State::Ready,
            Poll::Ready(Err(_)) => State::Failed,
        };
        polled
    }

    fn call(&mut self, request: Req) -> Self::Future {
        assert!(
            self.state == State::Ready,
            "call() on an instance that was not ready: {}",
            self.state.story()
        );
        self.state = State::Called;
        let permit = self
            .permits
            .as_mut()
            .and_then(|permits| permits.held.take());
        ResponseFuture::new(self.inner.call(request), permit)
    }
}

impl<S: Clone> Clone for Strict<S> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            state: State::Cloned,
            gate: self.gate.clone(),
            pending_first: self.pending_first,
            pending_left: self.pending_first,
            permits: self.permits.clone(),
        }
    }
}

impl<S> fmt::Debug for Strict<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Strict")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

// === impl State ===

impl State {
    const fn story(self) -> &'static str {
        match self {
            Self::New => "it was never polled",
            Self::Cloned => "it is a clone that was never polled (a clone starts unready)",
            Self::Pending => "its last poll_ready() was Pending",
            Self::Ready => "it was ready",
            Self::Failed => "its last poll_ready() failed",
            Self::Called => "it was not polled again since its last call()",
        }
    }
}

// === impl Permits ===

impl Permits {
    fn new(semaphore: Arc<Semaphore>) -> Self {
        Self {
            semaphore,
            waiting: None,
            held: None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.held.is_some() {
            return Poll::Ready(());
        }
        let semaphore = &self.semaphore;
        let waiting = self.waiting.get_or_insert_with(|| {
            let acquire = Arc::clone(semaphore).acquire_owned();
            Box::pin(async move { acquire.await.expect("a test does not close its semaphore") })
        });
        let permit = ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        self.held = Some(permit);
        Poll::Ready(())
    }
}

impl Clone for Permits {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.semaphore))
    }
}
