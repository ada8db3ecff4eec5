#![allow(clippy::unwrap_used, reason = "a test may panic")]

//! The limit, seen from outside: paused clock, strict and scripted inner services.

#[path = "concurrency/adaptive.rs"]
mod adaptive;
#[path = "concurrency/attacked.rs"]
mod attacked;
#[path = "concurrency/backend.rs"]
mod backend;
#[path = "concurrency/contract.rs"]
mod contract;
#[path = "concurrency/endpoint.rs"]
mod endpoint;
#[path = "concurrency/impatient.rs"]
mod impatient;
#[path = "concurrency/queue.rs"]
mod queue;

use std::time::Duration;
use ziggurat_concurrency::Settings;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn settings(limit: u32) -> Settings {
    Settings::new(limit).unwrap()
}
