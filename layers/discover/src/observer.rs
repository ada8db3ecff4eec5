//! What there is to see of a service's endpoints.

use std::{error::Error, time::Duration};
use ziggurat_core::EndpointId;

/// Hears of trouble with a source or a connector, and of sets that shrink. One that panics changes nothing.
pub trait Observer: Send + Sync + 'static {
    /// The set of `service` was looked at anew: the source names `instances`, and `endpoints` of
    /// them, or of those that are held, are to be connected.
    fn changed(&self, service: &str, instances: usize, endpoints: usize) {
        let _ = (service, instances, endpoints);
    }

    /// Suddenly the source names only `instances`; `held` others stay for `grace`, unless it comes
    /// to its senses.
    fn held(&self, service: &str, instances: usize, held: usize, grace: Duration) {
        let _ = (service, instances, held, grace);
    }

    /// The source is in trouble, or ended (`None`); it is asked again after `retry_in`.
    fn source_failed(
        &self,
        service: &str,
        error: Option<&(dyn Error + Send + Sync + 'static)>,
        retry_in: Duration,
    ) {
        let _ = (service, error, retry_in);
    }

    /// The connector made no endpoint of this instance; it is asked again after `retry_in`.
    fn connect_failed(
        &self,
        service: &str,
        endpoint: &EndpointId,
        error: &(dyn Error + Send + Sync + 'static),
        retry_in: Duration,
    ) {
        let _ = (service, endpoint, error, retry_in);
    }
}

impl Observer for () {}
