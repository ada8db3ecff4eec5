//! Coordination from outside: the store's conformance, a model of it, and what stands above it.
#![cfg(feature = "coord")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod coord {
    mod broken;
    mod config;
    mod conformance;
    mod election;
    mod instance_ids;
    mod loader;
    mod lock;
    mod memory;
    mod registration;
    mod resolve;
    mod session;
    mod snowflake;
    mod support;
    #[cfg(feature = "uuid")]
    mod uuid_v7;
}
