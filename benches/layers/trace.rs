//! Spans and trace context, while nobody subscribes.

use tower::Layer;
use tower_http::trace::TraceLayer;
use ziggurat_benches::{Board, HttpNoop, HttpRequest};

pub(crate) fn rows(board: &mut Board) {
    board
        .section::<HttpRequest>("trace", "")
        .service("floor", || HttpNoop)
        .service("tower-http", || TraceLayer::new_for_grpc().layer(HttpNoop));
}
