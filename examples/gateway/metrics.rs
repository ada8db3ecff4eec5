//! What is counted, over the `metrics` facade, as text for Prometheus.

use super::Gateway;
use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::{error::Error, sync::OnceLock};
use ziggurat::{
    answer,
    core::{Code, clock},
    deadline::{self, Exceeded},
    limit,
};

/// Counts what the layers decide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts;

static EXPORTER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

// === impl Counts ===

impl answer::Observer for Counts {
    fn rejected(&self, code: Code, _: &(dyn Error + 'static)) {
        counter!("gateway_rejected_total", "code" => code.to_string()).increment(1);
    }

    fn unexpected(&self, _: &(dyn Error + 'static)) {
        counter!("gateway_rejected_total", "code" => "unexpected").increment(1);
    }
}

impl limit::Observer for Counts {
    fn limited(&self) {
        counter!("gateway_limited_total").increment(1);
    }
}

impl deadline::Observer for Counts {
    fn exceeded(&self, _: &Exceeded) {
        counter!("gateway_deadline_exceeded_total").increment(1);
    }
}

/// Sends what is counted to the exporter, once a process. Without it nothing is counted.
pub(super) fn install() {
    let buckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5];
    EXPORTER.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_buckets(&buckets).ok()?;
        builder.install_recorder().ok()
    });
}

/// Counts and times each answer to its head.
pub(super) async fn measure(request: Request, next: Next) -> Response {
    // The route, never the path: who asks for a million paths makes no million series.
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "none".to_owned(), |route| route.as_str().to_owned());
    let began = clock::now();
    let response = next.run(request).await;
    let took = clock::now().saturating_duration_since(began);
    let status = response.status().as_str().to_owned();
    counter!("gateway_requests_total", "route" => route.clone(), "status" => status).increment(1);
    histogram!("gateway_request_seconds", "route" => route).record(took);
    response
}

pub(super) fn render(gateway: &Gateway) -> String {
    let Some(Some(exporter)) = EXPORTER.get() else {
        return String::new();
    };
    // Counts of this house are below 2^53.
    let in_flight = gateway.lifecycle.in_flight() as f64;
    gauge!("gateway_in_flight").set(in_flight);
    for channel in [&gateway.greeter, &gateway.news] {
        let endpoints = channel.endpoints().len() as f64;
        let service = channel.service().to_owned();
        gauge!("gateway_endpoints", "service" => service).set(endpoints);
    }
    exporter.run_upkeep();
    exporter.render()
}
