//! Composable tower layers that make microservice clients and servers resilient.
//!
//! A client finds its service by name, spreads calls over the healthy instances, retries what may be
//! retried, stops hammering what is down, keeps its deadline and carries its trace; a server sheds
//! what it cannot serve. Each of these is a [`tower::Layer`](https://docs.rs/tower) of its own crate,
//! re-exported here; together they are one [`client::Channel`].
//!
//! ```text
//!  client   trace -> breaker -> deadline -> retry or hedge -> attempt span -> balance <- discover <- health <- connect
//!  server   trust -> trace -> count -> answer -> panics -> deadline -> chain -> rate limit -> concurrency -> handler
//! ```
//!
//! # Example
//!
//! A service of one instance, found by its name and called through the whole stack.
//!
//! ```
//! use ziggurat::{client::Ziggurat, coord::Registry, core::Instance};
//! use ziggurat_testkit::{EchoClient, EchoRequest, EchoServer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = EchoServer::start().await;
//! let registry = Registry::memory();
//! let registration = registry.register(Instance::at("echo", server.address())?).await?;
//!
//! let mut client = EchoClient::new(Ziggurat::new(registry).channel("echo"));
//! let request = EchoRequest { message: "hello".into(), ..EchoRequest::default() };
//! assert_eq!(client.unary(request).await?.into_inner().message, "hello");
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `client` | [`client`], with the layers that it stacks, and the edge to tonic |
//! | `server` | [`server`]: the whole way into a server as one layer, and its end in order; no tonic, no axum |
//! | `coord` | [`coord`]: the store and the registry; no HTTP, no tonic |
//! | `conformance` | `coord::conformance`: what every store must do, for the tests of a third one |
//! | `uuid` | `coord::UuidV7`: ids of 128 bits, unique without any coordination |
//! | `etcd` | the store on an etcd cluster, `coord::EtcdStore`; its build needs `protoc` |
//! | `redis` | `quota`: rate limits that many processes share, on a Redis |
//! | `dns` | instances by DNS: `discover::dns` |
//! | `tls` | TLS to the endpoints, by rustls with ring: `connect::Tls`, `client::ChannelSettings::tls` |
//! | `tls-webpki-roots`, `tls-native-roots` | whom to believe: Mozilla's certificates, or the system's |
//! | `fault` | faults for tests and game days: [`fault`] |
//! | `answer`, `balance`, `breaker`, ... | one layer each |
//!
//! The first three are on by default.

// The crate's own name for it; `::core` is the language's.
pub use ziggurat_core as core;

#[cfg(feature = "answer")]
pub use ziggurat_answer as answer;
#[cfg(feature = "balance")]
pub use ziggurat_balance as balance;
#[cfg(feature = "breaker")]
pub use ziggurat_breaker as breaker;
#[cfg(feature = "concurrency")]
pub use ziggurat_concurrency as concurrency;
#[cfg(feature = "connect")]
pub use ziggurat_connect as connect;
#[cfg(feature = "deadline")]
pub use ziggurat_deadline as deadline;
#[cfg(feature = "discover")]
pub use ziggurat_discover as discover;
#[cfg(feature = "fault")]
pub use ziggurat_fault as fault;
#[cfg(feature = "health")]
pub use ziggurat_health as health;
#[cfg(feature = "limit")]
pub use ziggurat_limit as limit;
#[cfg(feature = "retry")]
pub use ziggurat_retry as retry;
#[cfg(feature = "trace")]
pub use ziggurat_trace as trace;
#[cfg(feature = "trust")]
pub use ziggurat_trust as trust;

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "coord")]
pub mod coord;
#[cfg(feature = "redis")]
pub mod quota;
#[cfg(feature = "server")]
pub mod server;

#[cfg(all(doctest, feature = "client", feature = "coord", feature = "server"))]
#[doc = include_str!("../README.md")]
struct Readme;
