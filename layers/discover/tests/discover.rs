//! The stream of endpoints, with connectors and sources in the hands of the test.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "discover/adapting.rs"]
mod adapting;
#[path = "discover/balance.rs"]
mod balance;
#[path = "discover/changing.rs"]
mod changing;
#[path = "discover/connecting.rs"]
mod connecting;
#[path = "discover/diff.rs"]
mod diff;
#[cfg(feature = "dns")]
#[path = "discover/dns.rs"]
mod dns;
#[cfg(feature = "dns")]
#[path = "discover/dns_server.rs"]
mod dns_server;
#[path = "discover/guard.rs"]
mod guard;
#[path = "discover/networks.rs"]
mod networks;
#[path = "discover/support.rs"]
mod support;
#[path = "discover/trouble.rs"]
mod trouble;
