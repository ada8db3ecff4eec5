//! What a balancer tells whoever draws the graphs.

use crate::MalformedReport;
use std::{error::Error, time::Duration};
use ziggurat_core::{EndpointId, Outcome};

/// Hears what a balancer does; called outside of every decision. One that panics changes nothing.
pub trait Observer: Send + Sync + 'static {
    /// A call that went to `endpoint` has ended, `elapsed` after it was sent.
    fn finished(&self, endpoint: &EndpointId, outcome: Outcome, elapsed: Duration) {
        let _ = (endpoint, outcome, elapsed);
    }

    /// `endpoint` reported its load, and that makes no sense: the report was passed over.
    fn report_malformed(&self, endpoint: &EndpointId, error: MalformedReport) {
        let _ = (endpoint, error);
    }

    /// A call ended without an endpoint, because none was ready in time.
    fn unserved(&self, service: &str) {
        let _ = service;
    }

    /// The set of endpoints has changed, and has so many members now.
    fn published(&self, service: &str, endpoints: usize) {
        let _ = (service, endpoints);
    }

    /// From now on ejections are disregarded, or count again: see
    /// [`panic_threshold_percent`](crate::Settings::panic_threshold_percent).
    fn panicking(&self, service: &str, on: bool) {
        let _ = (service, on);
    }

    /// Discovery has failed, or was lost by a panic; the endpoints known before stay in force.
    fn discovery_failed(&self, service: &str, error: &(dyn Error + 'static)) {
        let _ = (service, error);
    }
}
