//! Coordination on real etcd servers, which are killed, frozen, cut off and compacted.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod etcd {
    #[path = "../coord/cases.rs"]
    mod cases;
    mod conformance;
    mod connecting;
    mod faults;
    mod load;
    mod registry;
    mod secure;
    mod slot;
    #[path = "../coord/support.rs"]
    #[allow(dead_code, reason = "the embedded store needs more of it")]
    mod support;
    mod watching;
}
