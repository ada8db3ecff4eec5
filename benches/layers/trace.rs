//! Spans and trace context, while nobody subscribes.

use tower::Layer;
use tower_http::trace;
use ziggurat_benches::{Board, HttpNoop, HttpRequest};
use ziggurat_trace::TraceLayer;

pub(crate) fn rows(board: &mut Board) {
    // Ours also makes a context and writes two headers, subscriber or not: that is not asked of the
    // other.
    board
        .section::<HttpRequest>("trace", "")
        .service("floor", || HttpNoop)
        .service("ziggurat", || TraceLayer::client().layer(HttpNoop))
        .service("tower-http", || {
            trace::TraceLayer::new_for_grpc().layer(HttpNoop)
        });
}
