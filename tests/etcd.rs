//! Coordination on real etcd servers, which are killed, frozen, cut off and compacted.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod etcd {
    #[path = "../coord/cases.rs"]
    mod cases;
    mod config;
    #[path = "../coord/config_cases.rs"]
    #[allow(dead_code, reason = "the embedded store needs more of it")]
    mod config_cases;
    mod conformance;
    mod connecting;
    mod election;
    #[path = "../coord/election_cases.rs"]
    mod election_cases;
    #[path = "../coord/id_cases.rs"]
    mod id_cases;
    mod ids;
    #[path = "../coord/lock_cases.rs"]
    mod lock_cases;
    mod locks;
    mod over_etcd;
    mod process;
    mod registry;
    #[path = "../coord/script.rs"]
    #[allow(dead_code, reason = "the embedded store needs more of it")]
    mod script;
    mod secure;
    #[path = "../coord/support.rs"]
    #[allow(dead_code, reason = "the embedded store needs more of it")]
    mod support;
    mod watching;
}
