//! An HTTP/2 server that speaks in frames, for what no well-behaved server does.

mod frame;
mod peer;

use self::peer::Peer;
use crate::{lock, tasks::Owner};
use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch};

/// Accepts connections on a free port of 127.0.0.1 and plays a [`RawScript`] on each of them.
#[derive(Debug)]
pub struct RawH2 {
    address: SocketAddr,
    log: Log,
    _tasks: Owner,
}

/// What a [`RawH2`] does: SETTINGS, then acts that wait for requests. Until its acts are over, and after them, it answers SETTINGS and PING, reads bodies, and answers no request.
///
/// # Defaults
/// SETTINGS without a stream limit, and no act.
#[derive(Clone, Debug, Default)]
pub struct RawScript {
    max_concurrent_streams: Option<u32>,
    acts: Vec<(usize, Act)>,
}

/// One thing that a [`RawH2`] does. Error codes are those of RFC 9113: 0 NO_ERROR, 7 REFUSED_STREAM, 8 CANCEL, 11 ENHANCE_YOUR_CALM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Act {
    /// Sends GOAWAY.
    GoAway {
        /// The highest stream that the server says it may have processed.
        last_stream: u32,
        /// Why.
        code: u32,
    },
    /// Sends RST_STREAM with this code on every stream that is open.
    ResetAll(u32),
    /// Answers every stream that is open with this gRPC status and no body.
    AnswerAll(u8),
    /// Replies to every stream that is open, and to each one as it comes, with one empty message and status 0.
    Serve,
    /// Waits; what the client sends meanwhile is read later.
    Wait(Duration),
    /// Closes the socket: the client reads its end.
    Close,
    /// Cuts the socket: the client sees a reset.
    Cut,
}

/// The streams that each connection carried, told to whoever waits for them.
#[derive(Clone, Debug)]
struct Log {
    streams: Arc<Mutex<Vec<Vec<u32>>>>,
    total: watch::Sender<usize>,
}

// === impl RawH2 ===

impl RawH2 {
    /// Plays `script` on every connection, until it is dropped.
    ///
    /// # Panics
    /// When the machine gives no loopback port.
    pub async fn serve(script: RawScript) -> Self {
        Self::serve_each([script]).await
    }

    /// Plays the first script on the first connection and so on; the last one is played on all that follow.
    ///
    /// # Panics
    /// When the machine gives no loopback port, or there is no script.
    pub async fn serve_each(scripts: impl IntoIterator<Item = RawScript>) -> Self {
        let mut scripts = VecDeque::from_iter(scripts);
        assert!(!scripts.is_empty(), "a server has at least one script");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a test machine has a free loopback port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let log = Log::new();
        let owner = Owner::default();
        let (tasks, theirs) = (owner.tasks().clone(), log.clone());
        owner.tasks().spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let script = match scripts.len() {
                    1 => scripts.front().cloned(),
                    _ => scripts.pop_front(),
                };
                let script = script.expect("the last script stays");
                let peer = Peer::new(socket, script, theirs.connection());
                tasks.spawn(peer.run());
            }
        });
        Self {
            address,
            log,
            _tasks: owner,
        }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The ids of the streams on which HEADERS came, one list a connection, in order of arrival.
    #[must_use]
    pub fn streams(&self) -> Vec<Vec<u32>> {
        lock(&self.log.streams).clone()
    }

    /// Returns when HEADERS came on so many streams, over all connections.
    pub async fn saw(&self, streams: usize) {
        let mut total = self.log.total.subscribe();
        // The sender lives as long as `self`.
        let _ = total.wait_for(|total| *total >= streams).await;
    }
}

// === impl RawScript ===

impl RawScript {
    /// Says SETTINGS and nothing else.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends this limit in SETTINGS.
    #[must_use]
    pub const fn max_concurrent_streams(mut self, streams: u32) -> Self {
        self.max_concurrent_streams = Some(streams);
        self
    }

    /// Does `act` when HEADERS came on `requests` streams of the connection (0: at once) and all acts before it are done.
    #[must_use]
    pub fn after(mut self, requests: usize, act: Act) -> Self {
        self.acts.push((requests, act));
        self
    }

    /// Does `act` right after the one before it.
    #[must_use]
    pub fn then(self, act: Act) -> Self {
        self.after(0, act)
    }
}

// === impl Log ===

impl Log {
    fn new() -> Self {
        Self {
            streams: Arc::default(),
            total: watch::Sender::default(),
        }
    }

    /// Opens the list of a new connection; what it answers notes a stream there.
    fn connection(&self) -> impl Fn(u32) + Send + Sync + 'static {
        let log = self.clone();
        let place = {
            let mut streams = lock(&log.streams);
            streams.push(Vec::new());
            streams.len() - 1
        };
        move |stream| {
            lock(&log.streams)[place].push(stream);
            log.total.send_modify(|total| *total += 1);
        }
    }
}
