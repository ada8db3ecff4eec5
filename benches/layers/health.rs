//! Outlier ejection around one endpoint that is well.

use tower::Layer;
use tower_resilience_outlier::{OutlierDetectionLayer, OutlierDetector};
use ziggurat_benches::{Board, Noop};

pub(crate) fn rows(board: &mut Board) {
    board
        .section::<u64>("health", "")
        .service("floor", || Noop)
        .service("tower-resilience", || {
            let detector = OutlierDetector::new();
            detector.register("a", 5);
            let layer = OutlierDetectionLayer::builder()
                .detector(detector)
                .instance_name("a");
            layer.build().expect("valid").layer(Noop)
        });
}
