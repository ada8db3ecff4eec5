//! Power of two choices over endpoints that are all good, by latency: the choice alone.

use std::time::Duration;
use tower::{
    balance::p2c::Balance,
    buffer::Buffer,
    discover::ServiceList,
    load::{CompleteOnResponse, PeakEwma},
};
use ziggurat_benches::{Board, Noop};

type Endpoints = ServiceList<Vec<PeakEwma<Noop>>>;

pub(crate) fn rows(board: &mut Board) {
    for (state, endpoints) in [("", 10), ("N=1000", 1000)] {
        board
            .section::<u64>("balance", state)
            .service("floor", || Noop)
            .alone("tower", move || tower(endpoints))
            .service("tower+buffer", move || Buffer::new(tower(endpoints), 1024));
    }
}

/// Not `Clone`: in a client it stands behind a buffer.
fn tower(endpoints: usize) -> Balance<Endpoints, u64> {
    let endpoint = |_| {
        let (rtt, decay) = (Duration::from_millis(1), Duration::from_secs(10));
        PeakEwma::new(
            Noop,
            rtt,
            decay.as_nanos() as f64,
            CompleteOnResponse::default(),
        )
    };
    Balance::new(ServiceList::new(
        (0..endpoints).map(endpoint).collect::<Vec<_>>(),
    ))
}
