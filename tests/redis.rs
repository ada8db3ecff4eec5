//! Limits that processes share, on real Redis servers, which are killed, frozen and flushed.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod redis {
    mod answers;
    mod cluster;
    mod exact;
    mod gochat;
    mod layer;
    mod outage;
    mod refusals;
    mod rules;
    mod secure;
    mod support;
}
