//! Carries W3C trace context through clients and servers, and opens a span for every step.
//!
//! ```text
//!   traceparent, x-trace-id            task-local, extension            traceparent
//!  ───────────────────────▶ server() ───────────────────────▶ client() ─────────────▶ ...
//!                            request                           call
//!                                                               ├─ attempt() 1
//!                                                               └─ attempt() 2
//! ```
//!
//! | Question        | Answer                                                                     |
//! |-----------------|----------------------------------------------------------------------------|
//! | Readiness       | the inner service's                                                        |
//! | Clones          | share nothing, but for the sequence of a seeded [`Dice`](ziggurat_core::Dice) |
//! | Dropped futures | end the span, as `cancelled`, or as `timeout` when the deadline has passed |
//! | Errors it adds  | none: the error is the inner service's                                     |
//! | Place it        | `server` and `client` outermost but for metrics, and outside any buffer; `attempt` inside retry, outside balance |
//!
//! A span's trace, the rest follows from it: log lines written while a request is served are inside
//! the span `request`, whose field `trace_id` names the trace. While it is served, the context is
//! [`current`] too, also in the polls of its response body, and a client's layer starts from there.
//! `tokio::spawn` loses both: use [`spawn`].
//!
//! Spans (`request`, `call`, `attempt`) are of the level INFO and the target `ziggurat_trace`, and
//! last until the response body has ended. Their fields are named as OpenTelemetry names them
//! (`rpc.service`, `rpc.method`, `rpc.grpc.status_code`, `http.response.status_code`, ...), beside
//! `trace_id`, `span_id`, `parent_id`, `attempt`, `endpoint`, `error` and `outcome`. With no
//! subscriber that wants them there are none, and only headers are written.
//!
//! # Example
//!
//! ```
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use ziggurat_trace::{TraceLayer, current};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), ziggurat_core::BoxError> {
//! let backend = ServiceBuilder::new()
//!     .layer(TraceLayer::client())
//!     .service(service_fn(|request: http::Request<String>| async move {
//!         let sent = request.headers()["x-trace-id"].to_str().unwrap_or_default();
//!         Ok::<_, std::io::Error>(http::Response::new(sent.to_owned()))
//!     }));
//! let server = ServiceBuilder::new()
//!     .layer(TraceLayer::server())
//!     .service(service_fn(move |request: http::Request<String>| backend.clone().oneshot(request)));
//!
//! let request = http::Request::get("/")
//!     .header("traceparent", "00-0190a5c27b1e7c3d9e4f0123456789ab-00f067aa0ba902b7-01")
//!     .body(String::new())?;
//! let body = http_body_util::BodyExt::collect(server.oneshot(request).await?.into_body()).await?;
//! assert_eq!(body.to_bytes(), "0190a5c2-7b1e-7c3d-9e4f-0123456789ab");
//! assert_eq!(current(), None);
//! # Ok(())
//! # }
//! ```

mod body;
mod context;
mod future;
mod hex;
mod id;
mod layer;
mod local;
mod served;
mod service;
mod span;
mod watched;
mod wire;

pub use self::{
    body::Body,
    context::TraceContext,
    future::ResponseFuture,
    id::{InvalidId, SpanId, TraceId},
    layer::TraceLayer,
    local::{Scope, current, scope, spawn},
    service::Trace,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
