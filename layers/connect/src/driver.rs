//! One HTTP/2 connection, as the task that drives it sees it.

use crate::{
    door::Door,
    error::{NotConnected, SILENT},
    gone::Gone,
    heard::{Heard, Hearing},
    lane::Lane,
    link::Link,
    pulse::{Beat, Pulse},
    road::Stream,
    settings::{Keepalive, LARGEST_WINDOW, Settings, Windows},
    slots::Slots,
};
use bytes::Bytes;
use h2::{
    Reason,
    client::{Builder, Connection, SendRequest},
};
use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::runtime::Handle;
use ziggurat_core::{BoxError, clock};

/// What drives a connection: dropped, the socket is closed.
pub(crate) struct Driver {
    wire: Wire,
    /// Tells of a GOAWAY, of which h2 tells only who would open a stream. `None`: it came.
    watch: Option<SendRequest<Bytes>>,
    lane: Arc<Lane>,
    door: Arc<Door>,
    pulse: Option<Pulse>,
    /// The peer did not answer in time.
    silent: Arc<AtomicBool>,
    /// The limit may have changed since it was last looked at.
    limited_anew: bool,
}

struct Wire {
    /// `None`: the socket is closed.
    connection: Option<Connection<Hearing, Bytes>>,
    heard: Heard,
}

/// What h2 believes of the stream limit before the peer's SETTINGS: a number that no SETTINGS can
/// hold, so that it tells when they came.
const UNSAID: usize = usize::MAX - 1;
/// So many bytes of one stream h2 takes before the window has room for them.
const SEND_BUFFER: usize = 1 << 20;
/// So many streams that were dropped are known for so long: what comes of them meanwhile is passed
/// over. A client that gives up as its server does crosses an answer with every reset, so this is as
/// many as one connection can lose in that time; each costs some hundred bytes while it is known.
const DROPPED: usize = 1 << 16;
const DROPPED_FOR: Duration = Duration::from_secs(10);
/// What comes later is an error, and so many errors in its life end the connection with all its calls.
/// Without an end a peer that reads nothing could have us hold a reset for every frame.
const LATE: usize = 1 << 18;
/// What h2 holds of answers that nobody reads yet may cost so many bytes beyond what they say, at up
/// to 256 a frame; more end the connection. Its own measure, half of the window, is used up by one
/// slow reader of small messages. What comes to calls that were dropped is never read, and would use
/// it up for good: it is kept from being counted ([`Gone`]).
const OVERHEAD: usize = 32 << 20;
/// What an adaptive window begins with (RFC 9113, 6.9.2).
pub(crate) const FIRST_WINDOW: u32 = 65_535;
/// So many answers that nobody reads may be on a connection before no other one comes through: h2
/// gives what they hold back to the connection when it is read, and not when it has come.
const UNREAD: u32 = 128;

/// Makes the HTTP/2 connection number `number` over `stream`; ready when the peer's SETTINGS came.
pub(crate) async fn handshake(
    stream: Stream,
    number: u64,
    settings: &Settings,
    keepalive: Option<Keepalive>,
    slots: &Arc<Slots>,
) -> Result<(Link, Driver), BoxError> {
    let runtime = Handle::try_current()?;
    let (heard, door, gone) = (
        Heard::default(),
        Arc::<Door>::default(),
        Arc::<Gone>::default(),
    );
    let builder = builder(settings);
    let adaptive = settings.windows == Windows::Adaptive;
    let stream = heard.on(stream, Arc::clone(&door), Arc::clone(&gone));
    let (sender, mut connection) = builder.handshake(stream).await?;
    let pulse = Pulse::new(&mut connection, keepalive, adaptive);
    let mut wire = Wire {
        connection: Some(connection),
        heard,
    };
    let limit = wire.settled(&sender).await?;
    let lane = Lane::new(Arc::clone(slots), limit, gone);
    let silent = Arc::<AtomicBool>::default();
    let driver = Driver {
        wire,
        watch: Some(sender.clone()),
        lane: Arc::clone(&lane),
        door: Arc::clone(&door),
        pulse,
        silent: Arc::clone(&silent),
        limited_anew: true,
    };
    let link = Link::new(number, lane, sender, door, silent, runtime);
    Ok((link, driver))
}

fn builder(settings: &Settings) -> Builder {
    let (stream, connection) = match settings.windows {
        Windows::Fixed { stream, connection } => (stream, connection),
        Windows::Adaptive => (FIRST_WINDOW, shared(FIRST_WINDOW)),
    };
    let mut builder = Builder::new();
    builder
        .initial_max_send_streams(UNSAID)
        .initial_window_size(stream)
        .initial_connection_window_size(connection)
        .max_frame_size(settings.max_frame_size)
        .max_header_list_size(settings.max_header_list_size)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(DROPPED)
        .reset_stream_duration(DROPPED_FOR)
        .max_local_error_reset_streams(Some(LATE))
        .data_frame_budget(OVERHEAD)
        .enable_push(false);
    builder
}

// === impl Driver ===

impl Driver {
    /// Ready when the peer takes no more calls: it said GOAWAY, or is gone.
    pub(crate) async fn closed(&mut self) -> Result<(), BoxError> {
        poll_fn(|cx| clock::hold(|| self.poll_closed(cx))).await
    }

    /// Ready when the calls that it had are over and the socket is closed.
    pub(crate) async fn drained(mut self) {
        // The last who may open a stream; h2 waits for it.
        self.watch = None;
        poll_fn(|cx| clock::hold(|| self.poll_wire(cx)).map(|_| ())).await;
    }

    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let wire = self.poll_wire(cx);
        let Some(watch) = &mut self.watch else {
            return Poll::Ready(Ok(()));
        };
        if std::mem::take(&mut self.limited_anew) {
            self.lane.resize(watch.current_max_send_streams());
            if let Poll::Ready(Err(error)) = watch.poll_ready(cx) {
                self.watch = None;
                let silent = self.silent.load(Ordering::Relaxed);
                return Poll::Ready(ended(error, silent));
            }
        }
        // That it ended without a cause has not been seen.
        wire.map(|()| Ok(()))
    }

    /// Reads and writes; ready when the socket is closed.
    fn poll_wire(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.silent.load(Ordering::Relaxed) {
            return self.poll_cut(cx);
        }
        self.wire.heard.share(self.lane.is_shared());
        if self.wire.poll(cx).is_ready() {
            self.limited_anew = true;
            return Poll::Ready(());
        }
        let read = self.wire.heard.take();
        self.limited_anew |= read.all > 0;
        let Some(pulse) = &mut self.pulse else {
            return Poll::Pending;
        };
        match ready!(pulse.poll(cx, read, self.lane.in_use())) {
            Beat::Lost => {
                self.silent.store(true, Ordering::Relaxed);
                self.poll_cut(cx)
            }
            Beat::Wider(window) => {
                self.wire.widen(window);
                Poll::Pending
            }
        }
    }
}

impl Driver {
    /// Closes the socket once nobody hands a call over.
    fn poll_cut(&mut self, cx: &Context<'_>) -> Poll<()> {
        if !self.door.shut() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        // Dropped, it tells every stream.
        self.wire.connection = None;
        self.limited_anew = true;
        Poll::Ready(())
    }
}

// === impl Wire ===

impl Wire {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(connection) = &mut self.connection {
            // Why it ends is asked of who would open a stream.
            let _ = ready!(Pin::new(connection).poll(cx));
            self.connection = None;
        }
        Poll::Ready(())
    }

    /// Ready when the peer has said how many streams it allows.
    async fn settled(&mut self, sender: &SendRequest<Bytes>) -> Result<usize, BoxError> {
        let mut watch = sender.clone();
        poll_fn(|cx| {
            let closed = self.poll(cx);
            let limit = watch.current_max_send_streams();
            if limit != UNSAID {
                return Poll::Ready(Ok(limit));
            }
            ready!(closed);
            ready!(watch.poll_ready(cx))?;
            let early = "the peer closed the connection before it said SETTINGS";
            Poll::Ready(Err(NotConnected(early).into()))
        })
        .await
    }

    fn widen(&mut self, window: u32) {
        if let Some(connection) = &mut self.connection {
            connection.set_target_window_size(shared(window));
            // Refused while the last change is not acknowledged: the next measurement asks again.
            let _ = connection.set_initial_window_size(window);
        }
    }
}

/// The window of a connection whose streams have one of `stream` bytes.
const fn shared(stream: u32) -> u32 {
    let window = stream.saturating_mul(UNREAD);
    if window < LARGEST_WINDOW {
        window
    } else {
        LARGEST_WINDOW
    }
}

fn ended(error: h2::Error, silent: bool) -> Result<(), BoxError> {
    match error.reason() {
        _ if silent => Err(NotConnected(SILENT).into()),
        Some(Reason::NO_ERROR) => Ok(()),
        _ => Err(error.into()),
    }
}
