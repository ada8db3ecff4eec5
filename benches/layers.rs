//! Each layer beside its peers, around services that do nothing: `cargo bench --bench layers`.

use std::path::Path;
use ziggurat_benches::Board;

mod layers {
    pub(crate) mod answer;
    pub(crate) mod balance;
    pub(crate) mod balance_changes;
    pub(crate) mod bare;
    pub(crate) mod breaker;
    pub(crate) mod budgeted;
    pub(crate) mod concurrency;
    pub(crate) mod connect;
    pub(crate) mod deadline;
    pub(crate) mod discover;
    pub(crate) mod floor;
    pub(crate) mod health;
    pub(crate) mod hedge;
    pub(crate) mod limit;
    pub(crate) mod retry;
    pub(crate) mod server;
    pub(crate) mod stack;
    pub(crate) mod trace;
}

fn main() {
    let mut board = Board::default();
    layers::bare::rows(&mut board);
    layers::breaker::rows(&mut board);
    layers::limit::rows(&mut board);
    layers::concurrency::rows(&mut board);
    layers::deadline::rows(&mut board);
    layers::retry::rows(&mut board);
    layers::hedge::rows(&mut board);
    layers::balance::rows(&mut board);
    layers::balance_changes::rows(&mut board);
    layers::health::rows(&mut board);
    layers::trace::rows(&mut board);
    layers::answer::rows(&mut board);
    layers::server::rows(&mut board);
    layers::discover::rows(&mut board);
    layers::connect::rows(&mut board);
    layers::stack::rows(&mut board);

    // Cargo names a folder inside the target directory, wherever that is.
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    ziggurat_benches::run(&board, &tmp.with_file_name("bench").join("layers.json"));
}
