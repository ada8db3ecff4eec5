//! One HTTP/2 connection: the half that calls use, and the half that drives it.

use crate::{
    error::NotConnected,
    executor::{Executor, Socket},
    heard::{Heard, Hearing},
    lane::Lane,
    road::Stream,
    settings::{Keepalive, Settings, Windows},
    slots::Slots,
    timer::ClockTimer,
};
use http::{Request, Response};
use http_body::Body;
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http2},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};
use tokio::runtime::Handle;
use ziggurat_core::{BoxError, clock};

/// What calls use of a connection.
pub(crate) struct Link<B> {
    /// Which connection of its endpoint this is; the first is 1.
    pub(crate) number: u64,
    pub(crate) lane: Arc<Lane>,
    sender: http2::SendRequest<B>,
    answered: AtomicBool,
}

/// What drives a connection: dropped, the socket is closed.
pub(crate) struct Driver<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    /// Takes requests from calls. `None`: it takes no more.
    dispatch: Option<http2::Connection<TokioIo<Hearing>, B, Executor>>,
    /// Reads and writes. `None`: the socket is closed.
    socket: Option<Socket>,
    heard: Heard,
    /// The limit may have changed since it was last looked at.
    limited_anew: bool,
}

/// What hyper believes of the stream limit before the peer's SETTINGS: a number that no SETTINGS
/// can hold, so that it tells when they came.
const UNSAID: usize = usize::MAX - 1;

// === impl Link ===

impl<B: Body + 'static> Link<B> {
    /// Sends `request`; when it is answered, somebody [says so](Self::note_answer).
    // Not an `async fn`: its future would keep the request, and hyper's own beside it.
    pub(crate) fn send(
        &self,
        request: Request<B>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<B>>>> + use<B> {
        self.sender.clone().try_send_request(request)
    }

    pub(crate) fn note_answer(&self) {
        // Read first: after the first answer the line stays shared by all cores.
        if !self.answered.load(Ordering::Relaxed) {
            self.answered.store(true, Ordering::Relaxed);
        }
    }

    /// Was any call answered?
    pub(crate) fn answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }
}

// === impl Driver ===

/// Makes the HTTP/2 connection number `number` over `stream`; ready when the peer's SETTINGS came.
pub(crate) async fn handshake<B>(
    stream: Stream,
    number: u64,
    settings: &Settings,
    keepalive: Option<Keepalive>,
    slots: &Arc<Slots>,
) -> Result<(Link<B>, Driver<B>), BoxError>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let executor = Executor::new(Handle::try_current()?);
    let mut builder = http2::Builder::new(executor.clone());
    builder
        .timer(ClockTimer(TokioTimer::new()))
        .initial_max_send_streams(UNSAID)
        .max_frame_size(settings.max_frame_size)
        .max_header_list_size(settings.max_header_list_size);
    match settings.windows {
        Windows::Fixed { stream, connection } => builder
            .initial_stream_window_size(stream)
            .initial_connection_window_size(connection),
        Windows::Adaptive => builder.adaptive_window(true),
    };
    if let Some(Keepalive { interval, timeout }) = keepalive {
        builder
            .keep_alive_interval(interval)
            .keep_alive_timeout(timeout)
            // Servers take a PING without a call for abuse; TCP looks after idle connections.
            .keep_alive_while_idle(false);
    }
    let heard = Heard::default();
    let io = TokioIo::new(heard.on(stream));
    let (sender, dispatch) = builder.handshake(io).await?;
    let mut driver = Driver {
        dispatch: Some(dispatch),
        socket: executor.take_socket(),
        heard,
        limited_anew: true,
    };
    let limit = driver.settled().await?;
    let link = Link {
        number,
        lane: Lane::new(Arc::clone(slots), limit),
        sender,
        answered: AtomicBool::new(false),
    };
    Ok((link, driver))
}

impl<B> Driver<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    /// Ready when the peer takes no more calls: it said GOAWAY, or is gone.
    pub(crate) async fn closed(&mut self, lane: &Lane) -> Result<(), hyper::Error> {
        poll_fn(|cx| {
            let closed = clock::hold(|| self.poll_closed(cx));
            if std::mem::take(&mut self.limited_anew)
                && let Some(limit) = self.limit()
            {
                lane.resize(limit);
            }
            closed
        })
        .await
    }

    /// Ready when the calls that it had are over and the socket is closed.
    pub(crate) async fn drained(mut self) {
        self.dispatch = None;
        if let Some(socket) = self.socket {
            socket.await;
        }
    }

    /// Ready when the peer has said how many streams it allows.
    async fn settled(&mut self) -> Result<usize, BoxError> {
        poll_fn(|cx| {
            let closed = self.poll_closed(cx);
            if let Some(limit) = self.limit() {
                return Poll::Ready(Ok(limit));
            }
            ready!(closed)?;
            Poll::Ready(Err(NotConnected(
                "the peer closed the connection before it said SETTINGS",
            )
            .into()))
        })
        .await
    }

    fn limit(&self) -> Option<usize> {
        let dispatch = self.dispatch.as_ref()?;
        Some(dispatch.current_max_send_streams()).filter(|limit| *limit != UNSAID)
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        if let Poll::Ready(closed) = self.poll_dispatch(cx) {
            return Poll::Ready(closed);
        }
        if let Some(socket) = &mut self.socket
            && socket.as_mut().poll(cx).is_ready()
        {
            // Dropped, it tells every stream.
            self.socket = None;
        } else if !self.heard.take() {
            return Poll::Pending;
        }
        self.limited_anew = true;
        // Again: what the socket read may have been a GOAWAY, and hyper tells nobody of it.
        self.poll_dispatch(cx)
    }

    fn poll_dispatch(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        let Some(dispatch) = &mut self.dispatch else {
            return Poll::Ready(Ok(()));
        };
        let closed = ready!(Pin::new(dispatch).poll(cx));
        // Dropped, it gives the messages back that it had not sent.
        self.dispatch = None;
        Poll::Ready(closed)
    }
}
