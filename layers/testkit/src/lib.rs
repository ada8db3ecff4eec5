//! For the tests of ziggurat only: services that catch a layer breaking its contract, and servers that fail on demand.
//!
//! ```text
//!  a layer's test                      a connection's or a stack's test
//!  ┌───────────────┐                   ┌──────────────────────────────────────┐
//!  │ layer under   │                   │ client under test                    │
//!  │ test          │                   └──────┬──────────────┬────────────────┘
//!  ├───────────────┤                     HTTP/2 over TCP   bytes
//!  │ Counting      │ everything back?    ┌────▼─────┐    ┌───▼────┐ ┌──────────┐
//!  │ Strict        │ polled first?       │EchoServer│    │ RawH2  │ │BlackHole │
//!  │ Script        │ answers on cue      │          │    │        │ │Refusing..│
//!  └───────────────┘                     └──────────┘    └────────┘ └──────────┘
//! ```
//!
//! | for | take |
//! |---|---|
//! | the readiness contract of `tower::Service` | [`Strict`], held back or failed by a [`Gate`], under [`exercise`] |
//! | what must come back: calls, permits, clones | [`Counting`] and its [`Gauge`] |
//! | answers and failures without a network | [`Script`], [`HttpScript`], [`Step`] |
//! | cancellation | [`drop_at_every_await`] |
//! | a real gRPC server that fails on demand | [`EchoServer`], called by [`PlainClient`] |
//! | addresses where no server answers | [`RefusingAddress`], [`BlackHole`] |
//! | faults of HTTP/2 itself | [`RawH2`] |
//! | a network that loses its way | [`Proxy`] |
//! | gRPC of another implementation | [`GrpcioServer`], [`grpcio_client`] |
//! | a real etcd to kill and freeze | [`Etcd`], [`EtcdCluster`] |
//! | a real Redis to kill and freeze | [`RedisServer`] |
//! | a test that may hang | [`bounded`] |
//! | bounds | [`assert_send`], [`assert_sync`], [`assert_clone`] |
//!
//! The kit panics where a test should fail, and where the machine has no loopback to serve on.
//!
//! ```
//! use tower::ServiceExt;
//! use ziggurat_testkit::{Counting, Strict};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let (service, gauge) = Counting::new(Strict::echo());
//! assert_eq!(service.oneshot("hello").await.unwrap(), "hello");
//! assert_eq!(gauge.finished(), 1);
//! gauge.assert_idle();
//! # });
//! ```

mod address;
mod body;
mod bounded;
mod bounds;
mod cancel;
mod client;
mod contract;
pub mod counting;
mod echo;
mod echo_server;
mod etcd;
mod fetch;
mod gauge;
mod grpcio;
mod http_script;
mod port;
mod process;
pub mod proto;
mod proxy;
mod raw_h2;
mod redis;
mod script;
mod step;
pub mod strict;
mod tasks;

pub use self::{
    address::{BlackHole, RefusingAddress},
    body::{BodyCut, ScriptBody},
    bounded::bounded,
    bounds::{assert_clone, assert_send, assert_send_value, assert_sync, assert_sync_value},
    cancel::{drop_at_every_await, drop_at_every_await_then},
    client::PlainClient,
    contract::exercise,
    counting::Counting,
    echo::EchoHandler,
    echo_server::{Behaviour, Counts, EchoRoutes, EchoServer, Setup},
    etcd::{Etcd, EtcdCluster},
    gauge::Gauge,
    grpcio::{GrpcioServer, grpcio_client},
    http_script::{HttpScript, Seen},
    proto::{EchoReply, EchoRequest, echo_client::EchoClient},
    proxy::Proxy,
    raw_h2::{Act, RawH2, RawScript},
    redis::RedisServer,
    script::Script,
    step::{Scripted, Step},
    strict::{Echo, Gate, Handler, Strict},
};
pub use tonic;

use std::{
    error::Error,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Any error, as tower's services speak of it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Futures of the kit are boxed where a name would buy a test nothing.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A test that panicked elsewhere must not hide behind a poisoned lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
