//! Faults by chance, for as long as one likes.
//!
//! ```text
//! ZIGGURAT_FAULT_SECONDS=1800 cargo test --features etcd --test etcd by_chance -- --nocapture
//! ```

use super::{
    schedule::{Schedule, seed, variable},
    trial,
};
use std::time::Duration;

/// About as long as a change should wait for it.
const SECONDS: u64 = 120;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_by_chance() {
    let seconds = variable("ZIGGURAT_FAULT_SECONDS").unwrap_or(SECONDS);
    let length = Duration::from_secs(seconds);
    trial::run(&Schedule::drawn(seed(), length)).await;
}
