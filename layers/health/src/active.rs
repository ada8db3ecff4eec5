//! Asks each endpoint how it does, by gRPC's health checking protocol (`grpc.health.v1`, gRFC A17).
//!
//! ```text
//!                  first answer: SERVING            another answer
//!   Connecting ───────────────────────────> Ready <──────────────> Down (unpickable, connected)
//!     ^   │ UNIMPLEMENTED: taken as well      ^                      ^
//!     │   └───────────────────────────────────┘    the try failed    │
//!     │   └──────────────────────────────────────────────────────────┘ again, with backoff
//!     └── the connection is lost
//! ```
//!
//! An [`ActiveLayer`] around a connector opens one `Watch` on each endpoint as soon as that is
//! connected, and writes what it hears as [`Reporter::Check`](ziggurat_core::Reporter::Check). A
//! server without `Watch` is asked by `Check`, again and again; one that knows neither is taken to be
//! well until it is connected anew. It ends when the endpoint is dropped, and when it drains: an open
//! `Watch` would keep its connection.
//!
//! Unlike gRPC, what a broken stream has said stands until the next try, which is made at once if the
//! stream had lived for a second: a server that closes its connections now and then
//! (`MAX_CONNECTION_AGE`) is not out for that. And a server that takes a `Watch` and says nothing is
//! out after the [`timeout`](Settings::timeout), not in the dark for ever.
//!
//! ```
//! use bytes::Bytes;
//! use http_body_util::Full;
//! use ziggurat_health::active::{ActiveLayer, Settings};
//!
//! // Makes a body of the bytes of a request, of the type that the endpoints take.
//! let layer = ActiveLayer::new(Settings::new().service("users"), Full::<Bytes>::new);
//! # drop(layer);
//! ```

mod ask;
mod future;
mod layer;
mod message;
mod service;
mod settings;
mod watcher;

pub use self::{
    future::ConnectFuture,
    layer::ActiveLayer,
    service::{Active, Monitored},
    settings::Settings,
};
