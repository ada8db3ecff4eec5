//! The stream of endpoints, with connectors and sources in the hands of the test.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "discover/balance.rs"]
mod balance;
#[path = "discover/changing.rs"]
mod changing;
#[path = "discover/connecting.rs"]
mod connecting;
#[path = "discover/diff.rs"]
mod diff;
#[path = "discover/guard.rs"]
mod guard;
#[path = "discover/support.rs"]
mod support;
#[path = "discover/trouble.rs"]
mod trouble;
