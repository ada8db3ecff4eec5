//! Coordination on real etcd servers, which are killed, frozen, cut off and compacted.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod etcd {
    #[path = "../coord/cases.rs"]
    mod cases;
    #[cfg(feature = "client")]
    mod channel;
    mod conformance;
    mod connecting;
    mod registry;
    mod secure;
    #[path = "../coord/support.rs"]
    #[allow(dead_code, reason = "the embedded store needs more of it")]
    mod support;
    mod watching;
}
