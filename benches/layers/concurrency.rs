//! Concurrency limits, with permits to spare.

use tower::{Layer, limit::ConcurrencyLimitLayer};
use tower_resilience_bulkhead::BulkheadLayer;
use ziggurat_benches::{Board, Noop};

const PERMITS: usize = 1024;

pub(crate) fn rows(board: &mut Board) {
    board
        .section::<u64>("concurrency", "")
        .service("floor", || Noop)
        .service("tower", || ConcurrencyLimitLayer::new(PERMITS).layer(Noop))
        .service("tower-resilience", || {
            BulkheadLayer::builder()
                .max_concurrent_calls(PERMITS)
                .build()
                .expect("valid")
                .layer(Noop)
        });
}
