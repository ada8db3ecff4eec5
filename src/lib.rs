//! Composable tower layers that make microservice clients and servers resilient.

pub use ziggurat_core as core;

#[cfg(feature = "answer")]
pub use ziggurat_answer as answer;
#[cfg(feature = "balance")]
pub use ziggurat_balance as balance;
#[cfg(feature = "breaker")]
pub use ziggurat_breaker as breaker;
#[cfg(feature = "connect")]
pub use ziggurat_connect as connect;
#[cfg(feature = "deadline")]
pub use ziggurat_deadline as deadline;
#[cfg(feature = "discover")]
pub use ziggurat_discover as discover;
#[cfg(feature = "health")]
pub use ziggurat_health as health;
#[cfg(feature = "limit")]
pub use ziggurat_limit as limit;
#[cfg(feature = "retry")]
pub use ziggurat_retry as retry;
#[cfg(feature = "trace")]
pub use ziggurat_trace as trace;

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "coord")]
pub mod coord;
