//! Injects faults into calls, for tests and game days: answers with a code, delays, cut and slow
//! bodies, for a share of the requests, chosen by a dice that can be seeded.
//!
//! ```text
//!  request ──▶ chosen? ──no─────────────────────────────▶ inner service ──▶ response
//!                 │ yes                                         ▲                │
//!                 ▼                                             │                ▼
//!              delay ──▶ abort? ──no────────────────────────────┘     body: paced, cut off
//!                          │ yes
//!                          ▼
//!              an answer with a code, or an error as of a connection that broke
//! ```
//!
//! | Question        | Answer                                                                  |
//! |-----------------|-------------------------------------------------------------------------|
//! | Readiness       | the inner service's                                                     |
//! | Clones          | share the faults, the dice, and the count of active ones                |
//! | Dropped futures | drop the call; a delay that was waited for is no longer active          |
//! | Errors it adds  | [`Injected`]                                                            |
//! | Place it        | where the fault is to seem to come from: innermost of a client's stack (below the balance: of one endpoint), or of a server's, around the handler |
//!
//! Nothing is injected unless [`Faults`] say so, and a program that does not name this crate (the
//! feature `fault` of `ziggurat`) has none of it.
//!
//! # Example
//!
//! ```
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use ziggurat_core::Code;
//! use ziggurat_fault::{Abort, FaultLayer, Faults};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ziggurat_core::BoxError> {
//! // Every other request is answered UNAVAILABLE, and never reaches the service.
//! let faults = Faults::new().abort(Abort::with(Code::Unavailable), 0.5)?;
//! let service = ServiceBuilder::new()
//!     .layer(FaultLayer::new(faults).seed(7))
//!     .service(service_fn(|request: http::Request<String>| async move {
//!         Ok::<_, std::io::Error>(http::Response::new(request.into_body()))
//!     }));
//!
//! let mut failed = 0;
//! for _ in 0..100 {
//!     let request = http::Request::post("/pay").body("5".to_owned())?;
//!     let response = service.clone().oneshot(request).await?;
//!     failed += u32::from(response.status() == 503);
//! }
//! assert!((30..70).contains(&failed), "{failed}");
//! # Ok(())
//! # }
//! ```

mod abort;
mod active;
mod body;
mod error;
mod faults;
mod future;
mod layer;
mod observer;
mod orders;
mod pace;
mod plan;
mod service;

pub use self::{
    abort::Abort,
    body::Body,
    error::Injected,
    faults::Faults,
    future::ResponseFuture,
    layer::FaultLayer,
    observer::{Kind, Observer},
    service::Faulty,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
