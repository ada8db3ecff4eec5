//! Coordination on real etcd servers, which are killed, frozen, cut off and compacted.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod etcd {
    mod auth;
    #[path = "../coord/cases.rs"]
    mod cases;
    mod conformance;
    mod connecting;
<<<<<<< HEAD
    mod follower;
    mod herd;
    #[cfg(feature = "client")]
    mod named;
    mod numbers;
    mod load;
    mod program;
    mod programs;
=======
    mod faults;
    mod load;
>>>>>>> faults
    mod registry;
    mod restored;
    mod secure;
<<<<<<< HEAD
    mod story;
=======
    mod slot;
>>>>>>> faults
    #[path = "../coord/support.rs"]
    #[allow(dead_code, reason = "the embedded store needs more of it")]
    mod support;
    mod watching;
}
