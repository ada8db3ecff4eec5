//! Deadlines that are not missed: the answer is there at the first poll, or at the second.

use std::time::Duration;
use tower::{Layer, timeout::TimeoutLayer};
use tower_resilience_timelimiter::TimeLimiterLayer;
use ziggurat_benches::{Board, Noop, PendsOnce};

const LIMIT: Duration = Duration::from_secs(1);

pub(crate) fn rows(board: &mut Board) {
    board
        .section::<u64>("deadline", "")
        .service("floor", || Noop)
        .service("tower", || TimeoutLayer::new(LIMIT).layer(Noop))
        .service("tower-resilience", || {
            TimeLimiterLayer::builder()
                .timeout_duration(LIMIT)
                .build()
                .layer(Noop)
        });

    board
        .section::<u64>("deadline", "pends")
        .service("floor", || PendsOnce)
        .service("tower", || TimeoutLayer::new(LIMIT).layer(PendsOnce))
        .service("tower-resilience", || {
            TimeLimiterLayer::builder()
                .timeout_duration(LIMIT)
                .build()
                .layer(PendsOnce)
        });
}
