//! Coordination from outside: the store's conformance, a model of it, and the registry above it.
#![cfg(feature = "coord")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod coord {
    mod cases;
    mod config;
    mod conformance;
    mod loader;
    mod memory;
    mod model;
    mod registration;
    mod resolve;
    mod support;
}
