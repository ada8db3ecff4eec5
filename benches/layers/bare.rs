//! The services that the layers are put around, with nothing around them.

use ziggurat_benches::{Board, HttpNoop, HttpRequest, Noop, PendsOnce};

pub(crate) fn rows(board: &mut Board) {
    board.section::<u64>("bare", "").service("floor", || Noop);
    board
        .section::<u64>("bare", "pends")
        .service("floor", || PendsOnce(Noop));
    board
        .section::<HttpRequest>("bare", "http")
        .service("floor", || HttpNoop);
    board
        .section::<HttpRequest>("bare", "http pends")
        .service("floor", || PendsOnce(HttpNoop));
}
