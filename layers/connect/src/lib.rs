//! Keeps one warm HTTP/2 connection to every endpoint, and loses no call when it is replaced.
//!
//! A [`Connector`] makes a [`Connection`] of an [`Instance`](ziggurat_core::Instance). It answers at
//! once: the connection is made in the background, and made again whenever it is lost.
//!
//! ```text
//!                  SETTINGS came
//!  ┌────────────┐ ────────────────▶ ┌───────┐ ──┐ GOAWAY, or cut: the next
//!  │ Connecting │                   │ Ready │   │ connection is made at once,
//!  └────────────┘ ◀──────────────── └───────┘ ◀─┘ the old one finishes its calls
//!    │    ▲   ▲     not replaced      │   │
//!    │    │   │     within 250 ms     │   │ no call for long,
//!    │    │   │                       │   │ if `idle_close` is set
//!    │    │   │ a call   ┌──────┐     │   │
//!    │    │   └───────── │ Idle │ ◀───│───┘
//!    │    │              └──────┘     │
//!    │    │ backoff is over           │ ended at once, unanswered;
//!    ▼    │                           │ or the next try failed
//!  ┌────────────┐                     │
//!  │    Down    │ ◀───────────────────┘
//!  └────────────┘
//! ```
//!
//! A call waits while the endpoint connects, and for a free stream when the server allows no more,
//! in order and within its [`Deadline`](ziggurat_core::Deadline); while calls wait for streams, a
//! further connection is made. An endpoint whose server allows no stream at all counts as idle, and a
//! balancer calls it only when nobody else is ready. A call to an endpoint that is down
//! fails at once, whatever its `wait_for_ready` says: to wait for another is a balancer's work.
//!
//! A call that a closing connection gives back goes to the next one. The end of a connection is held
//! back from h2 while calls are handed over, so that none is lost in that moment; and a GOAWAY until
//! they are sent, so that a server that closes in peace serves them. What fails for good says how
//! far it got ([`Sent`](ziggurat_core::Sent)): *never*, when the message came back; *unprocessed*,
//! when the server said so by GOAWAY or REFUSED_STREAM; *unknown* in every other case, and a body
//! that is cut off is one.
//!
//! Bytes get there by [`Sockets`], TCP or Unix, or by a tower service of the user's own that opens an
//! [`Io`]; above it stands TLS, if it is wanted (feature `tls`): the peer must prove to be the
//! service by its configured name, whatever a registry says.
//!
//! | | |
//! |---|---|
//! | Readiness | Always ready; waiting and failing happen in the call's future. |
//! | Clones | Handles of one endpoint: the same connections, one [`Availability`](ziggurat_core::Availability). |
//! | Dropped futures | Give their place in line or their stream back; the server sees a reset. The socket closes when the last handle, call and body is gone. |
//! | Errors it adds | [`Undelivered`] (UNAVAILABLE), [`TooLate`] (DEADLINE_EXCEEDED), [`Crowded`] (RESOURCE_EXHAUSTED). |
//! | Place it | Innermost, under a balancer: nothing else may queue between its pick and the wire. |
//!
//! # Example
//!
//! ```
//! use http_body_util::Empty;
//! use tower::{Service, ServiceExt};
//! use ziggurat_connect::{Connector, Settings};
//! use ziggurat_core::{Endpoint, Instance};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ziggurat_core::BoxError> {
//! # let server = ziggurat_testkit::EchoServer::start().await;
//! # let address = server.address();
//! let mut connector = Connector::new(Settings::default());
//! let mut connection = connector.call(Instance::at("echo", address)?).await?;
//! assert_eq!(connection.id().as_str(), address.to_string());
//!
//! let request = http::Request::post("/echo.v1.Echo/Nothing").body(Empty::<bytes::Bytes>::new())?;
//! let response = connection.ready().await?.call(request).await?;
//! assert_eq!(response.status(), 200);
//! # Ok(())
//! # }
//! ```

mod attempts;
mod bandwidth;
mod batch;
mod body;
mod connection;
mod connector;
mod dial;
mod door;
mod driver;
mod error;
mod exchange;
mod frames;
mod future;
mod gone;
mod group;
mod guard;
mod head;
mod heard;
mod keeper;
mod lane;
mod lexicon;
mod life;
mod link;
mod maker;
mod observer;
mod pulse;
mod race;
mod road;
mod settings;
mod shared;
mod slots;
mod sockets;
mod spare;
mod target;
#[cfg(feature = "tls")]
mod tls;
mod upload;

#[cfg(feature = "tls")]
pub use self::tls::{Identity, InvalidTls, Roots, Tls};
pub use self::{
    body::Body,
    connection::Connection,
    connector::Connector,
    error::{Crowded, InvalidAuthority, NoTunnel, NotHttp2, TooLate, Undelivered},
    future::{ConnectFuture, ResponseFuture},
    observer::Observer,
    road::Io,
    settings::Settings,
    sockets::Sockets,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
