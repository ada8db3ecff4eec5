//! Outlier ejection around one endpoint that is well.

use std::{convert::Infallible, future::ready};
use tokio::runtime::Handle;
use tower::{Layer, ServiceExt, service_fn};
use tower_resilience_outlier::{OutlierDetectionLayer, OutlierDetector};
use ziggurat_balance::ForeignEndpoint;
use ziggurat_benches::{Board, Noop};
use ziggurat_core::{ByResult, Instance};
use ziggurat_health::{Checked, HealthLayer, Settings};

pub(crate) fn rows(board: &mut Board) {
    board
        .section::<u64>("health", "")
        .service("floor", || Noop)
        .service("ziggurat", || checked(Settings::new()))
        .service("ziggurat, compared", || checked(Settings::grpc()))
        .service("tower-resilience", || {
            let detector = OutlierDetector::new();
            detector.register("a", 5);
            let layer = OutlierDetectionLayer::builder()
                .detector(detector)
                .instance_name("a");
            layer.build().expect("valid").layer(Noop)
        });
}

fn checked(settings: Settings) -> Checked<ForeignEndpoint<Noop>, ByResult> {
    let connector = service_fn(|instance: Instance| {
        let endpoint = ForeignEndpoint::new(instance.id().clone(), Noop);
        ready(Ok::<_, Infallible>(endpoint))
    });
    let instance = Instance::new("users", "a", "localhost", 80).expect("valid");
    let layer = HealthLayer::new(settings).classify_with(ByResult);
    let connected = Handle::current().block_on(layer.layer(connector).oneshot(instance));
    connected.expect("nothing there can fail")
}
