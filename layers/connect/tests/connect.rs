//! Connections, over real loopback sockets.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "connect/backoff.rs"]
mod backoff;
#[path = "connect/bounds.rs"]
mod bounds;
#[path = "connect/calls.rs"]
mod calls;
#[path = "connect/crowd.rs"]
mod crowd;
#[path = "connect/dropped.rs"]
mod dropped;
#[path = "connect/faults.rs"]
mod faults;
#[path = "connect/frames.rs"]
mod frames;
#[path = "connect/goodbyes.rs"]
mod goodbyes;
#[path = "connect/heads.rs"]
mod heads;
#[path = "connect/idle.rs"]
mod idle;
#[path = "connect/late.rs"]
mod late;
#[path = "connect/lifecycle.rs"]
mod lifecycle;
#[path = "connect/limits.rs"]
mod limits;
#[path = "connect/pulses.rs"]
mod pulses;
#[path = "connect/quiet.rs"]
mod quiet;
#[path = "connect/replace.rs"]
mod replace;
#[path = "connect/server.rs"]
mod server;
#[path = "connect/storm.rs"]
mod storm;
#[path = "connect/support.rs"]
mod support;
#[path = "connect/tls.rs"]
mod tls;
#[path = "connect/transports.rs"]
mod transports;
#[path = "connect/unlawful.rs"]
mod unlawful;
#[path = "connect/uploads.rs"]
mod uploads;
#[path = "connect/windows.rs"]
mod windows;
