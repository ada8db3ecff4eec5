//! The whole way into a server as one layer, for tonic and for axum; and the way out, in order.
//!
//! [`ServerLayer`] is what a request passes before its handler, outermost first:
//!
//! ```text
//!  trust -> trace -> count -> answer -> panics -> deadline -> chain -> rate limit -> concurrency -> handler
//!                                                                └───── health checks ─────┘
//! ```
//!
//! | step | why it stands there |
//! |---|---|
//! | [trust](crate::trust) | before anything believes a header, and the trace believes the first; it adds no error |
//! | [trace](crate::trace) | all that is logged further in belongs to the call |
//! | count | what is in flight has not been answered to its last byte |
//! | [answer](crate::answer) | outside of all that rejects; after it the stack cannot fail, as axum wants |
//! | panics | whatever panics further in is one more error to answer: INTERNAL, or 500 |
//! | [deadline](crate::deadline) | waiting for a permit is part of the call's time |
//! | [chain](crate::retry::chain) | what is called to serve a further attempt is called once; inside of what answers, as it tells callers when a further attempt is no use |
//! | [rate limit](crate::limit) | a refusal has cost nothing yet, and is no sample of latency |
//! | [concurrency](crate::concurrency) | measures the handler, and nothing else |
//!
//! Health checks of gRPC (`grpc.health.v1.Health`: `Check`, `Watch`, `List`) pass beside both limits,
//! whoever sends them: a server that is busy is asked how it does as well. All else holds for them too.
//! A limit of your own may let calls wait before they are made, as tower's do: they wait after that then,
//! within their deadlines, and no health check with them. What it says if it fails then, the next call is
//! answered with that is no health check.
//!
//! A rejection is answered by the content type of its request: gRPC and gRPC-Web by a status, with
//! `grpc-retry-pushback-ms`; anything else by 429, 503 or 504, with `Retry-After`.
//!
//! Whom to believe has no default that would be right for all, so it is the first thing to say:
//! [`ServerLayer::edge`] where strangers call, as they call most servers of axum, and
//! [`ServerLayer::internal`] behind those.
//!
//! What lets pages from elsewhere call (tower-http's `CorsLayer`) goes outside of this layer: what a browser
//! asks before a call then costs nothing of a limit, and the page can read a refusal. Inside, it passes as a call
//! like any other.
//!
//! A health `Watch` has no end of its own. When its server closes it is told NOT_SERVING, and ends.
//!
//! [`Lifecycle`] is the other half: how many calls are in flight, and a stop that loses none of them.
//!
//! # Example
//!
//! ```
//! use axum::{Router, routing::get};
//! use std::time::Duration;
//! use tokio::net::TcpListener;
//! use ziggurat::{
//!     core::BoxError,
//!     deadline,
//!     limit::{Rate, RateLimitLayer},
//!     server::{Lifecycle, ServerLayer},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let lifecycle = Lifecycle::default();
//! let timeout = Duration::from_secs(2);
//! // Strangers call here. A server that only other servers call is `internal`.
//! let layer = ServerLayer::edge()
//!     .lifecycle(&lifecycle)
//!     .deadline(deadline::Settings::new(timeout)?.at_most(10 * timeout)?)
//!     .rate_limit(RateLimitLayer::new(Rate::per_second(500)?));
//!
//! let router = Router::new().route("/", get(async || "hello")).layer(layer);
//! // What is not asked for by users is not counted, limited or traced.
//! let ready = lifecycle.clone();
//! let router = router.route("/readyz", get(async move || ready.readiness()));
//!
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let server = axum::serve(listener, router).with_graceful_shutdown(lifecycle.closing());
//! let server = lifecycle.run(server);
//! # let stopped = async { lifecycle.shutdown().await };
//! let (served, drained) = tokio::join!(server, stopped);
//! served??;
//! assert!(drained.is_clean());
//! # Ok(())
//! # }
//! ```
//!
//! With tonic it is `Server::builder().layer(layer)`, and `serve_with_shutdown(address,
//! lifecycle.closing())`. gRPC and HTTP on one port are `Routes::into_axum_router()` with axum routes
//! beside them and the layer around all. For browsers, `tonic_web::GrpcWebLayer` goes around the gRPC
//! routes alone, inside of this one (`Routes::into_axum_router().layer(GrpcWebLayer::new())`), as it answers
//! all other HTTP/1.1 with 400; on a port that has nothing but gRPC it may stand outside as well.

mod exempt;
mod in_flight;
mod layer;
mod lifecycle;

pub use self::{
    exempt::{Body as ExemptBody, Exempt, ResponseFuture as ExemptFuture},
    in_flight::{Body, InFlight, ResponseFuture},
    layer::{ServerLayer, Stack},
    lifecycle::{CutOff, Drained, Lifecycle, Phase, Settings},
};
