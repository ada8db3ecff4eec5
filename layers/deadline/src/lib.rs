//! Gives every call one absolute deadline, ends it when that has passed, and carries it on.
//!
//! ```text
//!               before it is sent
//!   call ──────────────────────────────────────────────┐
//!    │ written into the request: extension, header      │
//!    ▼                 while the inner service pends    ▼
//!  waiting ────────────────────────────────────────▶ Exceeded
//!    │ response                                         ▲
//!    ▼                 while the body pends             │
//!  reading ────────────────────────────────────────────┘
//!    │ trailers, the end, or an error of its own
//!    ▼
//!  over, in time
//! ```
//!
//! | Question        | Answer                                                                     |
//! |-----------------|----------------------------------------------------------------------------|
//! | Readiness       | the inner service's; waiting for it is not covered, waiting in `call` is    |
//! | Clones          | share the settings; there is no other state                                |
//! | Dropped futures | drop the inner future, and a timer if one was armed                        |
//! | Errors it adds  | [`Exceeded`]                                                               |
//! | Place it        | client: inside the service's breaker, which must see it, and outside retry, so that all attempts share one deadline; a second one inside retry stamps each attempt with what is left, and bounds it by its maximum. Server: inside whatever answers errors, outside limits and handlers |
//!
//! A server's layer also makes the deadline [`current`] while the handler runs and while its
//! response body is polled, and a client's layer keeps within it. `tokio::spawn` loses it: use
//! [`spawn`]. Response bodies fail with [`Exceeded`] as well, so their error is boxed.
//!
//! A timer is registered with the runtime when something pends for the first time, never before; a
//! [plain call](DeadlineLayer::values) that nobody gave a deadline does not even read the clock before.
//! Where it is read, all layers inside are told the same moment while the call begins
//! ([`holding`](ziggurat_core::clock::holding)).
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use ziggurat_core::error;
//! use ziggurat_deadline::{DeadlineLayer, Exceeded, Settings};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ziggurat_core::BoxError> {
//! let settings = Settings::new(Duration::from_millis(20))?;
//! let service = ServiceBuilder::new()
//!     .layer(DeadlineLayer::client(settings))
//!     .service(service_fn(|request: http::Request<String>| async move {
//!         if request.uri().path() == "/hangs" {
//!             std::future::pending::<()>().await;
//!         }
//!         Ok::<_, std::io::Error>(http::Response::new(request.into_body()))
//!     }));
//!
//! let request = http::Request::get("/answers").body("hello".to_owned())?;
//! assert!(service.clone().oneshot(request).await.is_ok());
//!
//! let request = http::Request::get("/hangs").body(String::new())?;
//! let error = service.oneshot(request).await.unwrap_err();
//! assert!(error::find::<Exceeded>(&*error).is_some());
//! # Ok(())
//! # }
//! ```

mod alarm;
mod body;
mod error;
mod future;
mod layer;
mod local;
pub mod mode;
mod observer;
mod service;
mod settings;
mod timer;

pub use self::{
    body::Body,
    error::{Exceeded, Phase},
    future::ResponseFuture,
    layer::DeadlineLayer,
    local::{Scope, current, scope, spawn},
    observer::Observer,
    service::WithDeadline,
    settings::Settings,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
