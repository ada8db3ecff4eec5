//! Deadlines that are not missed: the answer is there at the first poll, or at the second.

use std::time::Duration;
use tower::{Layer, timeout::TimeoutLayer};
use tower_resilience_timelimiter::TimeLimiterLayer;
use ziggurat_benches::{Board, HttpNoop, HttpRequest, Noop, PendsOnce};
use ziggurat_deadline::{DeadlineLayer, Settings};

const LIMIT: Duration = Duration::from_secs(1);

pub(crate) fn rows(board: &mut Board) {
    board
        .section::<u64>("deadline", "")
        .service("floor", || Noop)
        .service("ziggurat", || DeadlineLayer::values(settings()).layer(Noop))
        .service("tower", || TimeoutLayer::new(LIMIT).layer(Noop))
        .service("tower-resilience", || tower_resilience().layer(Noop));

    board
        .section::<u64>("deadline", "pends")
        .service("floor", || PendsOnce(Noop))
        .service("ziggurat", || {
            DeadlineLayer::values(settings()).layer(PendsOnce(Noop))
        })
        .service("tower", || TimeoutLayer::new(LIMIT).layer(PendsOnce(Noop)))
        .service("tower-resilience", || {
            tower_resilience().layer(PendsOnce(Noop))
        });

    // Ours also reads and writes `grpc-timeout`, and goes on while the body comes.
    board
        .section::<HttpRequest>("deadline", "http")
        .service("floor", || HttpNoop)
        .service("ziggurat", || {
            DeadlineLayer::client(settings()).layer(HttpNoop)
        })
        .service("tower", || TimeoutLayer::new(LIMIT).layer(HttpNoop))
        .service("tower-resilience", || tower_resilience().layer(HttpNoop));

    board
        .section::<HttpRequest>("deadline", "http pends")
        .service("floor", || PendsOnce(HttpNoop))
        .service("ziggurat", || {
            DeadlineLayer::client(settings()).layer(PendsOnce(HttpNoop))
        })
        .service("tower", || {
            TimeoutLayer::new(LIMIT).layer(PendsOnce(HttpNoop))
        })
        .service("tower-resilience", || {
            tower_resilience().layer(PendsOnce(HttpNoop))
        });
}

fn settings() -> Settings {
    Settings::new(LIMIT).expect("not zero")
}

fn tower_resilience() -> TimeLimiterLayer {
    TimeLimiterLayer::builder().timeout_duration(LIMIT).build()
}
