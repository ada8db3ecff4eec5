//! Answers errors on a server: nothing that an inner layer rejects leaves as anything but an answer.
//!
//! | an error caused by | gRPC | HTTP |
//! |---|---|---|
//! | a [`Rejection`](ziggurat_core::Rejection) | HTTP 200 without a body; `grpc-status`, `grpc-message`, and `grpc-retry-pushback-ms` when it knows how long to stay away | the [status of its code](ziggurat_core::Code::to_http) (429, 503, 504, ...), `Retry-After` in seconds, the reason as text |
//! | one of a call that [was lost](ziggurat_core::Rejection::is_lost) on its way to another server | the same, `grpc-retry-pushback-ms: -1` | the same, no `Retry-After` |
//! | a `tonic::Status` (feature `tonic`) | that status, with its details and metadata | the status of its code, its message as text |
//! | anything else | INTERNAL | 500; in both cases its text stays here and is logged |
//!
//! A panic is an error too, with a [`CatchPanicLayer`] inside: INTERNAL, or 500.
//!
//! Which of the two it is, the request's content type tells. A gRPC stream that has begun ends with
//! the status of the error in its trailers.
//!
//! A call that this server made, and that was lost when the other one may have acted, must not be
//! repeated because of the UNAVAILABLE that stands for it: whence the pushback of -1. It also stops
//! the repeating of calls that may be made twice; who wants those repeated repeats them here.
//! A handler that answers with the `tonic::Status` of its own client hands on the same pushback, for
//! it is in the metadata; one that makes up a status of its own has to add it.
//!
//! | Question        | Answer                                                                     |
//! |-----------------|----------------------------------------------------------------------------|
//! | Readiness       | the inner service's; when that fails, the next call is answered with it    |
//! | Clones          | share nothing but the observer; a clone does not inherit failed readiness  |
//! | Dropped futures | drop the inner future                                                      |
//! | Errors it adds  | none: its error is `Infallible`, as axum wants                             |
//! | Place it        | outside every layer that adds an error, inside trace and metrics, which are to see answers |
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use ziggurat_answer::AnswerLayer;
//! use ziggurat_core::{Code, Rejection};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ziggurat_core::BoxError> {
//! let service = ServiceBuilder::new()
//!     .layer(AnswerLayer::new())
//!     .service(service_fn(|_: http::Request<()>| async {
//!         let wait = Duration::from_millis(300);
//!         let rejection = Rejection::decided(Code::ResourceExhausted, "rate limit exceeded");
//!         Err::<http::Response<String>, _>(rejection.with_retry_after(wait))
//!     }));
//!
//! let response = service.oneshot(http::Request::new(())).await?;
//! assert_eq!(response.status(), 429);
//! assert_eq!(response.headers()["retry-after"], "1");
//! # Ok(())
//! # }
//! ```

mod body;
mod future;
mod layer;
mod message;
mod observer;
pub mod panic;
mod protocol;
mod reply;
mod service;

pub use self::{
    body::Body,
    future::ResponseFuture,
    layer::AnswerLayer,
    observer::Observer,
    panic::{CatchPanicLayer, Panicked},
    service::Answer,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
