//! The service behind a name.

use super::{
    ChannelSettings, ChannelState, ResponseFuture, Unaddressable,
    body::Body,
    gate::Gate,
    keeper::Lease,
    stack::{Pick, stack},
    stripes::Stripes,
};
use http::{Request, Response};
use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tower::Service;
use ziggurat_balance::EndpointView;
use ziggurat_core::{BoxError, Code, Rejection, Resolve, clock};

/// The whole client stack to the service of one name: what a generated client is made of.
///
/// Cheap to clone. Made by [`Ziggurat::channel`](super::Ziggurat::channel).
///
/// | Question        | Answer                                                          |
/// |-----------------|-----------------------------------------------------------------|
/// | Readiness       | always ready; waiting happens in the call                       |
/// | Clones          | share everything                                                |
/// | Dropped futures | cancel the call; everything that it held comes back             |
/// | Errors it adds  | [`Closed`], [`Unaddressable`]                                   |
/// | Place it        | under a generated client, or under layers of your own           |
#[derive(Clone)]
pub struct Channel {
    lease: Arc<Lease>,
}

/// What all channels of one name share.
pub(super) struct Shared {
    service: Box<str>,
    stripes: Stripes,
    pick: Pick,
    unaddressable: Option<Unaddressable>,
    gate: Gate,
    started: AtomicBool,
}

/// The channel was closed: the call was not sent.
#[derive(Clone, Debug)]
pub struct Closed(Rejection);

/// No endpoint was ready in time, or none will ever be.
#[derive(Clone, Debug)]
pub struct NotReady(Arc<dyn Error + Send + Sync>);

/// How long [`Channel::connect`] waits: what gRPC gives one try to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// And how long for a name that nobody knows.
const ROUND: Duration = Duration::from_secs(1);

// === impl Channel ===

impl Channel {
    pub(super) const fn new(lease: Arc<Lease>) -> Self {
        Self { lease }
    }

    /// The name of the service.
    #[must_use]
    pub fn service(&self) -> &str {
        self.lease.shared.service()
    }

    /// How the channel is doing.
    #[must_use]
    pub fn state(&self) -> ChannelState {
        let shared = &self.lease.shared;
        if shared.gate.is_closed() {
            return ChannelState::Shutdown;
        }
        if !shared.started.load(Ordering::Relaxed) {
            return ChannelState::Idle;
        }
        ChannelState::of(shared.pick.endpoints().iter().map(EndpointView::state))
    }

    /// How each endpoint is doing, ordered by name.
    #[must_use]
    pub fn endpoints(&self) -> Vec<EndpointView> {
        self.lease.shared.pick.endpoints()
    }

    /// Finds and connects the endpoints now, rather than on the first call, and waits until one is
    /// ready.
    ///
    /// # Errors
    ///
    /// If none is after 20 s, or no endpoint is even known after 1 s; at once if the service is
    /// [`Unaddressable`].
    pub async fn connect(&self) -> Result<(), NotReady> {
        self.lease.shared.addressable()?;
        self.lease.shared.started.store(true, Ordering::Relaxed);
        let pick = &self.lease.shared.pick;
        let mut waited = Duration::ZERO;
        loop {
            match pick.wait_until_ready(ROUND).await {
                Ok(()) => return Ok(()),
                Err(error) if waited >= CONNECT_TIMEOUT || pick.endpoints().is_empty() => {
                    return Err(NotReady(Arc::new(error)));
                }
                Err(_) => waited += ROUND,
            }
        }
    }

    /// Waits until an endpoint is ready, for as long as it takes.
    ///
    /// # Errors
    ///
    /// Outside of a tokio runtime, and if the service is [`Unaddressable`].
    pub async fn ready(&self) -> Result<(), NotReady> {
        self.lease.shared.addressable()?;
        self.lease.shared.started.store(true, Ordering::Relaxed);
        let ready = self.lease.shared.pick.wait_until_ready(Duration::MAX).await;
        ready.map_err(|error| NotReady(Arc::new(error)))
    }

    /// Refuses new calls from now on, and waits until the calls in flight are over, their answers'
    /// last bytes included.
    ///
    /// The connections are closed when the last clone of the channel and of the `Ziggurat` is dropped,
    /// or when the next channel is asked for by this name, which is a new one.
    pub async fn close(&self) {
        self.lease.shared.gate.close().await;
    }
}

impl Service<Request<tonic::body::Body>> for Channel {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        let shared = &*self.lease.shared;
        if let Some(error) = &shared.unaddressable {
            return ResponseFuture::refused(error.clone());
        }
        let Some(inside) = shared.gate.enter() else {
            return ResponseFuture::refused(Closed::new());
        };
        if !shared.started.load(Ordering::Relaxed) {
            shared.started.store(true, Ordering::Relaxed);
        }
        match clock::hold(|| shared.stripes.call(request)) {
            Ok(future) => ResponseFuture::sent(future, inside),
            Err(error) => ResponseFuture::refused(error),
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("service", &self.service())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

// === impl Shared ===

impl Shared {
    pub(super) fn new(
        resolve: Arc<dyn Resolve>,
        service: &str,
        settings: &ChannelSettings,
    ) -> Self {
        let (stack, pick) = stack(resolve, service, settings);
        let check = settings.connector.check(service);
        Self {
            service: service.into(),
            stripes: Stripes::new(stack),
            pick,
            unaddressable: check.err().as_ref().map(Unaddressable::because),
            gate: Gate::default(),
            started: AtomicBool::new(false),
        }
    }

    pub(super) fn service(&self) -> &str {
        &self.service
    }

    fn addressable(&self) -> Result<(), NotReady> {
        match &self.unaddressable {
            Some(error) => Err(NotReady(Arc::new(error.clone()))),
            None => Ok(()),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.gate.is_closed()
    }
}

// === impl Closed ===

impl Closed {
    fn new() -> Self {
        Self(Rejection::decided(
            Code::Unavailable,
            "the channel was closed",
        ))
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.reason())
    }
}

impl Error for Closed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

// === impl NotReady ===

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for NotReady {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
