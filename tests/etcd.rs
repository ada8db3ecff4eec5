//! Coordination on real etcd servers, which are killed, frozen, cut off and compacted.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod etcd {
    mod auth;
    mod channel;
    mod config;
    #[path = "../coord/config_cases.rs"]
    #[allow(dead_code, reason = "the embedded store needs more of it")]
    mod config_cases;
    mod conformance;
    mod connecting;
    mod election;
    #[path = "../coord/election_cases.rs"]
    mod election_cases;
    mod faults;
    mod follower;
    mod herd;
    #[path = "../coord/id_cases.rs"]
    mod id_cases;
    mod ids;
    mod load;
    #[path = "../coord/lock_cases.rs"]
    mod lock_cases;
    mod locks;
    mod named;
    mod numbers;
    mod over_etcd;
    mod process;
    mod program;
    mod programs;
    mod registry;
    mod restored;
    #[path = "../coord/script.rs"]
    #[allow(dead_code, reason = "the embedded store needs more of it")]
    mod script;
    mod secure;
    mod slot;
    mod story;
    #[path = "../coord/support.rs"]
    #[allow(dead_code, reason = "the embedded store needs more of it")]
    mod support;
    mod watching;
}
