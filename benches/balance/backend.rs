//! Servers that do what a scenario says, in virtual time.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, header};
use http_body_util::Full;
use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{sync::Semaphore, time::Instant};
use tower::{BoxError, Service};
use ziggurat_core::{Availability, Dice, Reporter, State};

pub(crate) type Answer = Response<Full<Bytes>>;

/// How a server does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Takes 10 ms, lognormal.
    Good,
    /// Takes so many times as long as a good one.
    Slow(f64),
    /// So many times as long for its first five seconds, then it is good.
    Cold(f64),
    /// Good, and so far away.
    Far(Duration),
    /// Fails after half a millisecond.
    FastFailing,
    /// Never answers.
    Stalled,
}

/// A server; clones are the same one.
#[derive(Clone)]
pub(crate) struct Backend(Arc<Shared>);

struct Shared {
    kind: Kind,
    dice: Dice,
    born: Instant,
    slots: Option<Semaphore>,
    /// Calls that came, and that have gone.
    came: AtomicU64,
    gone: AtomicU64,
    /// Nanoseconds after `born`; from then on nobody listens there.
    closes: AtomicU64,
    dead: AtomicBool,
    /// Of those who are connected to it.
    connections: Mutex<Vec<Availability>>,
}

/// A call that is under way, also when it is dropped.
struct Pending<'a>(&'a Shared);

const MEDIAN: Duration = Duration::from_millis(10);
/// The sigma of the lognormal: the 99th percentile is 2.5 times the median.
const SIGMA: f64 = 0.4;
const FAILS_AFTER: Duration = Duration::from_micros(500);
const COLD_FOR: Duration = Duration::from_secs(5);

// === impl Kind ===

impl Kind {
    /// Would somebody who knows all of them call it?
    pub(crate) const fn is_good(self) -> bool {
        matches!(self, Self::Good)
    }
}

// === impl Backend ===

impl Backend {
    /// Starts now. `serves` so many at a time, or any number.
    pub(crate) fn new(kind: Kind, serves: Option<usize>, dice: Dice) -> Self {
        Self(Arc::new(Shared {
            kind,
            dice,
            born: Instant::now(),
            slots: serves.map(Semaphore::new),
            came: AtomicU64::new(0),
            gone: AtomicU64::new(0),
            closes: AtomicU64::new(u64::MAX),
            dead: AtomicBool::new(false),
            connections: Mutex::default(),
        }))
    }

    pub(crate) fn kind(&self) -> Kind {
        self.0.kind
    }

    pub(crate) fn came(&self) -> u64 {
        self.0.came.load(Relaxed)
    }

    pub(crate) fn pending(&self) -> u64 {
        self.came() - self.0.gone.load(Relaxed)
    }

    /// Is it slow because it has just started?
    pub(crate) fn is_cold(&self) -> bool {
        matches!(self.0.kind, Kind::Cold(_)) && self.0.born.elapsed() < COLD_FOR
    }

    /// Takes no new calls once this has passed.
    pub(crate) fn close_after(&self, grace: Duration) {
        let closes = self.0.born.elapsed() + grace;
        self.0.closes.store(closes.as_nanos() as u64, Relaxed);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.0.dead.load(Relaxed)
    }

    /// Somebody connects, and learns when the connection is lost.
    pub(crate) fn connect(&self, connection: Availability) {
        let connections = self.0.connections.lock();
        let mut connections = connections.unwrap_or_else(PoisonError::into_inner);
        connection.report(Reporter::Connection, self.connected());
        connections.push(connection);
    }

    /// Dies, or is there again. What it has it answers, as a server does that is told to stop.
    pub(crate) fn turn(&self, dead: bool) {
        let connections = self.0.connections.lock();
        let connections = connections.unwrap_or_else(PoisonError::into_inner);
        self.0.dead.store(dead, Relaxed);
        for connection in connections.iter() {
            connection.report(Reporter::Connection, self.connected());
        }
    }

    fn connected(&self) -> State {
        if self.is_dead() {
            State::Down
        } else {
            State::Ready
        }
    }

    async fn serve(self) -> Answer {
        let Self(shared) = &self;
        shared.came.fetch_add(1, Relaxed);
        let _pending = Pending(shared);
        let age = shared.born.elapsed().as_nanos() as u64;
        if age >= shared.closes.load(Relaxed) || self.is_dead() {
            return answer("14");
        }
        let _slot = match &shared.slots {
            Some(slots) => slots.acquire().await.ok(),
            None => None,
        };
        let cold = self.is_cold();
        match shared.kind {
            Kind::Cold(factor) if cold => self.take(MEDIAN.mul_f64(factor)).await,
            Kind::Good | Kind::Cold(_) => self.take(MEDIAN).await,
            Kind::Slow(factor) => self.take(MEDIAN.mul_f64(factor)).await,
            Kind::Far(away) => {
                tokio::time::sleep(away).await;
                self.take(MEDIAN).await
            }
            Kind::FastFailing => {
                tokio::time::sleep(FAILS_AFTER).await;
                answer("14")
            }
            Kind::Stalled => std::future::pending().await,
        }
    }

    async fn take(&self, median: Duration) -> Answer {
        let dice = &self.0.dice;
        let (one, other) = (1.0 - dice.fraction(), dice.fraction());
        let normal = (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos();
        tokio::time::sleep(median.mul_f64((normal * SIGMA).exp())).await;
        answer("0")
    }
}

impl<B> Service<Request<B>> for Backend {
    type Response = Answer;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        let serving = self.clone().serve();
        Box::pin(async { Ok(serving.await) })
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Backend").field(&self.0.kind).finish()
    }
}

// === impl Pending ===

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.0.gone.fetch_add(1, Relaxed);
    }
}

/// A gRPC answer that is a status and nothing else.
fn answer(status: &'static str) -> Answer {
    let mut answer = Response::new(Full::default());
    let headers = answer.headers_mut();
    let grpc = HeaderValue::from_static("application/grpc");
    headers.insert(header::CONTENT_TYPE, grpc);
    let name = HeaderName::from_static("grpc-status");
    headers.insert(name, HeaderValue::from_static(status));
    answer
}
