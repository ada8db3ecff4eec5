#![allow(clippy::unwrap_used, reason = "a test may panic")]

//! Endpoints that are watched, seen from outside: scripted answers, a paused clock.

mod asking;
mod bench;
mod contract;
mod ejecting;
mod outliers;
mod peer;
mod recovering;
