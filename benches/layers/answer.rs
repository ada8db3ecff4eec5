//! Rejections turned into answers, on the path where there is none to turn.

use tower::Layer;
use ziggurat_answer::AnswerLayer;
use ziggurat_benches::{Board, HttpNoop, HttpRequest};

pub(crate) fn rows(board: &mut Board) {
    board
        .section::<HttpRequest>("answer", "")
        .service("floor", || HttpNoop)
        .service("ziggurat", || AnswerLayer::new().layer(HttpNoop));
}
