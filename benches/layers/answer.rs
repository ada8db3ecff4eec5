//! Rejections turned into answers, on the path where there is none to turn.

use ziggurat_benches::{Board, HttpNoop, HttpRequest};

pub(crate) fn rows(board: &mut Board) {
    board
        .section::<HttpRequest>("answer", "")
        .service("floor", || HttpNoop);
}
