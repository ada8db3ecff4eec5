//! Coordination from outside: the store's conformance, a model of it, and what stands above it.
#![cfg(feature = "coord")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod coord {
    /// A test on the embedded store of each case that any store is asked.
    macro_rules! over_memory {
        ($cases:ident: $($case:ident,)*) => {
            mod over_memory {
                use super::*;
                $(
                    #[tokio::test(start_paused = true)]
                    async fn $case() {
                        $cases::$case(Arc::new(MemoryStore::new())).await;
                    }
                )*
            }
        };
    }

    mod bent;
    mod broken;
    mod config;
    mod config_cases;
    mod conformance;
    mod election;
    mod election_cases;
    mod environment;
    mod handle;
    mod id_cases;
    mod instance_ids;
    mod leaving;
    mod loader;
    mod lock;
    mod lock_cases;
    mod lost_answers;
    mod memory;
    mod outage;
    mod paging;
    mod registration;
    mod resolve;
    mod script;
    mod session;
    mod snowflake;
    mod support;
    #[cfg(feature = "uuid")]
    mod uuid_v7;
}
