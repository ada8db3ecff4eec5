#![allow(clippy::unwrap_used, reason = "a test may panic")]

//! The layer, seen from outside: scripted services, paused clock.

#[path = "retry/attempts.rs"]
mod attempts;
#[path = "retry/bodies.rs"]
mod bodies;
#[path = "retry/budgets.rs"]
mod budgets;
#[path = "retry/chains.rs"]
mod chains;
#[path = "retry/contract.rs"]
mod contract;
#[path = "retry/hedge_bodies.rs"]
mod hedge_bodies;
#[path = "retry/hedge_budgets.rs"]
mod hedge_budgets;
#[path = "retry/hedge_model.rs"]
mod hedge_model;
#[path = "retry/hedges.rs"]
mod hedges;
#[path = "retry/heeding.rs"]
mod heeding;
#[path = "retry/kit.rs"]
mod kit;
#[path = "retry/methods.rs"]
mod methods;
#[path = "retry/running.rs"]
mod running;
#[path = "retry/sharing.rs"]
mod sharing;
#[path = "retry/telling.rs"]
mod telling;
#[path = "retry/thrift.rs"]
mod thrift;
#[path = "retry/time.rs"]
mod time;
#[path = "retry/verdicts.rs"]
mod verdicts;
