#![allow(clippy::unwrap_used, reason = "a test may panic")]

//! The balancer, seen from outside: endpoints and a discovery in the hands of the test.

mod busy;
mod driving;
mod feed;
mod measuring;
mod pairing;
mod panicking;
mod permuting;
mod picking;
mod policies;
mod reporting;
mod shares;
mod simulation;
mod waiting;
