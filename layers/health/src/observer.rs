//! What health tells whoever draws the graphs.

use crate::Detection;
use std::time::Duration;
use ziggurat_core::EndpointId;

/// Hears who is ejected and who returns.
///
/// Called while the endpoint is locked: an observer counts, and does not call the endpoint.
/// One that panics changes nothing.
pub trait Observer: Send + Sync + 'static {
    /// An endpoint is ejected for this long.
    fn ejected(&self, service: &str, endpoint: &EndpointId, time: Duration) {
        let _ = (service, endpoint, time);
    }

    /// An endpoint failed enough to be ejected, and was not, as too many are.
    fn spared(&self, service: &str, endpoint: &EndpointId) {
        let _ = (service, endpoint);
    }

    /// An endpoint is an outlier, and stays: chance would have it so (`enforcement_percentage`).
    fn pardoned(&self, service: &str, endpoint: &EndpointId, detection: Detection) {
        let _ = (service, endpoint, detection);
    }

    /// An endpoint says of itself that it is `serving`, or does not say so any more.
    fn checked(&self, service: &str, endpoint: &EndpointId, serving: bool) {
        let _ = (service, endpoint, serving);
    }

    /// An endpoint serves again.
    fn returned(&self, service: &str, endpoint: &EndpointId) {
        let _ = (service, endpoint);
    }
}
