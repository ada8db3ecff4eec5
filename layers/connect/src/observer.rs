//! What there is to see of connections.

use std::{error::Error, time::Duration};
use ziggurat_core::EndpointId;

/// Hears of every connection that comes, fails or goes. Called by the task that keeps it, never by
/// a call. One that panics is heard of by nobody else: the connection stays as it is.
pub trait Observer: Send + Sync + 'static {
    /// The connection to `endpoint` takes calls, `took` after the try began.
    fn connected(&self, endpoint: &EndpointId, took: Duration) {
        let _ = (endpoint, took);
    }

    /// A try to connect to `endpoint` failed; the next one comes after `retry_in`.
    fn connect_failed(
        &self,
        endpoint: &EndpointId,
        error: &(dyn Error + Send + Sync + 'static),
        retry_in: Duration,
    ) {
        let _ = (endpoint, error, retry_in);
    }

    /// The connection to `endpoint` takes no more calls, after it did for `lived`.
    ///
    /// `None`: it went in peace, by GOAWAY.
    fn disconnected(
        &self,
        endpoint: &EndpointId,
        error: Option<&(dyn Error + Send + Sync + 'static)>,
        lived: Duration,
    ) {
        let _ = (endpoint, error, lived);
    }
}

impl Observer for () {}
