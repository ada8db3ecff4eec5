//! What strangers may say.

use crate::networks;
use http::HeaderName;
use ipnet::IpNet;
use std::{sync::Arc, time::Duration};
use ziggurat_core::{Criticality, InvalidSetting};

/// What strangers may say.
///
/// # Defaults
///
/// Their calls are [`Critical`](Criticality::Critical) at most, no deadline is too far away, and nobody
/// forwards for others.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub(crate) criticality: Criticality,
    pub(crate) timeout: Option<Duration>,
    pub(crate) header: Option<HeaderName>,
    pub(crate) proxies: Arc<[IpNet]>,
}

const LONGEST: Duration = Duration::from_secs(30 * 86_400);

// === impl Settings ===

impl Settings {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Their calls are at most so critical; what they call less critical is.
    #[must_use]
    pub const fn criticality(mut self, most: Criticality) -> Self {
        self.criticality = most;
        self
    }

    /// Their calls ask for at most so long: a longer timeout, or one that makes no sense, becomes this
    /// one. What a call gets that names none is for the deadline layer further in to say.
    ///
    /// # Errors
    ///
    /// If it is below a millisecond or above 30 days.
    pub fn timeout(mut self, most: Duration) -> Result<Self, InvalidSetting> {
        if most < Duration::from_millis(1) || most > LONGEST {
            let rule = "must be from a millisecond to 30 days";
            return Err(InvalidSetting::new("trust settings", "timeout", most, rule));
        }
        self.timeout = Some(most);
        Ok(self)
    }

    /// The timeout may also stand in this header, as whole milliseconds.
    #[must_use]
    pub fn timeout_header(mut self, name: HeaderName) -> Self {
        self.header = Some(name);
        self
    }

    /// Peers in these networks are proxies: what they say about whom they forward for is kept. All else
    /// that comes through them is a stranger's.
    #[must_use]
    pub fn proxies(mut self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        self.proxies = networks::collect(networks);
        self
    }
}
