#![allow(clippy::unwrap_used, reason = "a test may panic")]
//! The kit against itself.

mod testkit {
    mod address;
    mod cancel;
    mod contract;
    mod counting;
    mod echo;
    mod echo_faults;
    mod generated;
    mod proxy;
    mod raw_h2;
    mod script;
    mod strict;
}
