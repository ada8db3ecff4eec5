//! The conformance suite can fail: it refuses every store that is broken in one way.

mod store;

use self::store::{
    Broken, FAULTS,
    Fault::{self, ActsUnasked, ForgetsToAbandon, Nothing, ReadsTheFuture},
};
use std::sync::Arc;
use tokio::task::JoinSet;
use ziggurat::coord::conformance::{CASES, Scripts};

/// What the random scripts do not look at: how a lease is given up, and what comes before an await.
const NOT_IN_SCRIPTS: [Fault; 3] = [ReadsTheFuture, ForgetsToAbandon, ActsUnasked];

/// The cases that refuse a store with this fault.
async fn refusing(fault: Fault) -> Vec<&'static str> {
    let mut refusing = Vec::new();
    for case in CASES {
        let store = Arc::new(Broken::new(fault));
        if panics(case.run(store)).await {
            refusing.push(case.name());
        }
    }
    refusing
}

async fn scripts_refuse(fault: Fault) -> bool {
    let store = Broken::new(fault);
    let played = Scripts::new(1).count(100).exact();
    panics(async move { played.play(&store).await }).await
}

async fn panics(future: impl Future<Output = ()> + Send + 'static) -> bool {
    let mut tasks = JoinSet::new();
    tasks.spawn(future);
    tasks.join_next().await.unwrap().is_err()
}

#[tokio::test(start_paused = true)]
async fn every_fault_is_found_by_a_case() {
    assert_eq!(refusing(Nothing).await, [""; 0]);
    for fault in FAULTS {
        let refusing = refusing(fault).await;
        println!("{fault:?} is refused by {refusing:?}");
        assert!(!refusing.is_empty(), "no case finds a store that {fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_random_scripts_find_what_they_look_at() {
    assert!(!scripts_refuse(Nothing).await);
    for fault in FAULTS {
        let expected = !NOT_IN_SCRIPTS.contains(&fault);
        assert_eq!(scripts_refuse(fault).await, expected, "{fault:?}");
    }
}
