#![allow(clippy::unwrap_used, reason = "a test may panic")]

//! What users do, over real sockets: real servers, real HTTP/2, generated clients.

mod bounded;
mod browsers;
mod by_hand;
mod by_name;
mod choosing;
mod connecting;
mod crowd;
mod edges;
mod ejecting;
mod errors;
mod failing;
mod gateway;
mod health;
mod hedging;
mod house;
mod http;
mod interop;
mod late;
mod malformed;
mod membership;
mod observing;
mod on_a_server;
mod outcomes;
mod overload;
mod passing;
mod reporting;
mod serving;
mod sharing;
mod stopping;
mod storeys;
mod storm;
mod streams;
mod tonic_endpoint;
mod tower_balance;
mod web;
mod zones;
