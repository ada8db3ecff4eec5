//! Instances by DNS (feature `dns`).
//!
//! ```no_run
//! use std::{num::NonZeroU16, time::Duration};
//! use ziggurat_discover::{DiscoverLayer, dns::{Dns, Records}};
//!
//! # fn main() -> Result<(), ziggurat_core::BoxError> {
//! // A and AAAA of `user-service.default.svc.cluster.local`, all at one port.
//! let port = NonZeroU16::new(50051).ok_or("no port")?;
//! let dns = Dns::system(Records::Addresses { port })?
//!     .domain("default.svc.cluster.local")
//!     .refresh_every(Duration::from_secs(5), Duration::from_secs(60))?;
//! let layer = DiscoverLayer::new(dns, "user-service");
//! # drop(layer);
//! # Ok(())
//! # }
//! ```

mod following;
mod lookup;

use self::{following::Following, lookup::Lookup};
use crate::feedback::Feedback;
use futures_util::stream;
use hickory_resolver::{
    Resolver, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
};
use std::{error::Error, fmt, net::SocketAddr, num::NonZeroU16, sync::Arc, time::Duration};
use tokio::sync::Notify;
use ziggurat_core::{Backoff, Changes, Dice, InvalidSetting, Resolve};

/// Finds the instances of a service by DNS.
///
/// It asks again when the time to live of an answer is over, within bounds; after trouble, with
/// backoff; and when it is asked to ([`refresh`](Self::refresh)), or by its
/// [`feedback`](Self::feedback) none of the endpoints can be called, but never sooner than the lower
/// bound. A name that does not exist, or has no records, is an empty set: whoever guards the set holds
/// what was known. A server that fails or does not answer is trouble, and changes nothing: nor does
/// one of the two kinds of addresses, or a target, that cannot be looked up take those away that were
/// known of it; it is asked for again as soon as the lower bound allows.
///
/// An instance is named by its address and port, so that the same answer in another order is the same.
///
/// # Defaults
///
/// The name of the service as it is, to which the system's search list applies; asks again after the
/// time to live, but at least 5 s and at most 300 s; after trouble after 1 s, times 1.6, up to 120 s,
/// 20 % either way.
#[derive(Clone)]
pub struct Dns {
    lookup: Lookup,
    least: Duration,
    most: Duration,
    backoff: Backoff,
    dice: Dice,
    feedback: Option<Feedback>,
    refresh: Arc<Notify>,
}

/// Which records name the instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Records {
    /// A and AAAA: an instance for each address.
    Addresses {
        /// Where they all listen.
        port: NonZeroU16,
    },
    /// SRV of `_grpc._tcp.<name>` (RFC 2782): an instance for each address of each target, with its
    /// port and weight (0 counts as 1), and `target` in its metadata.
    ///
    /// Targets of the lowest priority number are used alone. While none of them has an address, or
    /// none can be called by the [`feedback`](Dns::feedback), those of the next number are used as
    /// well; whether that is still so is looked at when DNS is asked again.
    Services,
}

/// No resolver could be made of what the system, or somebody, says.
#[derive(Debug)]
pub struct NoResolver(NetError);

const LEAST: Duration = Duration::from_secs(5);
const MOST: Duration = Duration::from_secs(300);

// === impl Dns ===

impl Dns {
    /// Asks the servers that the system asks, by its search list and its hosts.
    ///
    /// # Errors
    ///
    /// If the system's configuration cannot be read.
    pub fn system(records: Records) -> Result<Self, NoResolver> {
        Self::new(TokioResolver::builder_tokio(), records)
    }

    /// Asks these servers, by UDP, and by TCP where an answer does not fit.
    ///
    /// # Errors
    ///
    /// If no resolver can be made of them.
    pub fn servers(
        servers: impl IntoIterator<Item = SocketAddr>,
        records: Records,
    ) -> Result<Self, NoResolver> {
        let servers = servers.into_iter().map(|server| {
            let mut connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            for connection in &mut connections {
                connection.port = server.port();
            }
            NameServerConfig::new(server.ip(), true, connections.into())
        });
        let config = ResolverConfig::from_name_servers(servers.collect());
        let provider = TokioRuntimeProvider::default();
        let mut builder = Resolver::builder_with_config(config, provider);
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        Self::new(Ok(builder), records)
    }

    fn new(
        builder: Result<hickory_resolver::ResolverBuilder<TokioRuntimeProvider>, NetError>,
        records: Records,
    ) -> Result<Self, NoResolver> {
        let mut builder = builder.map_err(NoResolver)?;
        // When to ask again is decided here, by the same times to live.
        builder.options_mut().cache_size = 0;
        let resolver = builder.build().map_err(NoResolver)?;
        Ok(Self {
            lookup: Lookup::new(resolver, records),
            least: LEAST,
            most: MOST,
            backoff: Backoff::default(),
            dice: Dice::new(),
            feedback: None,
            refresh: Arc::default(),
        })
    }

    /// Puts `domain` behind the name of a service, and leaves the search list alone.
    #[must_use]
    pub fn domain(mut self, domain: &str) -> Self {
        self.lookup.domain(domain);
        self
    }

    /// Asks again after the time to live of an answer, but not before `least` and not after `most`.
    ///
    /// # Errors
    ///
    /// If `least` is zero or longer than `most`.
    pub fn refresh_every(
        mut self,
        least: Duration,
        most: Duration,
    ) -> Result<Self, InvalidSetting> {
        let invalid = |rule| InvalidSetting::new("dns", "refresh_every", least, rule);
        if least.is_zero() {
            return Err(invalid("must be above zero"));
        }
        if least > most {
            return Err(invalid("must not be longer than the longest"));
        }
        (self.least, self.most) = (least, most);
        Ok(self)
    }

    /// Waits so after trouble.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Draws the jitter from `dice`.
    #[must_use]
    pub fn dice(mut self, dice: Dice) -> Self {
        self.dice = dice;
        self
    }

    /// Asks again when by `feedback` none of the endpoints can be called.
    #[must_use]
    pub fn feedback(mut self, feedback: Feedback) -> Self {
        self.feedback = Some(feedback);
        self
    }

    /// Asks again for every service that is being followed, as soon as that is allowed.
    pub fn refresh(&self) {
        self.refresh.notify_waiters();
    }
}

impl Resolve for Dns {
    fn resolve(&self, service: &str) -> Changes {
        let following = Following::new(self.clone(), service);
        let said = stream::unfold(following, |mut following| async {
            let said = following.next().await;
            Some((said, following))
        });
        Box::pin(said)
    }
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dns")
            .field("lookup", &self.lookup)
            .field("least", &self.least)
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

// === impl NoResolver ===

impl fmt::Display for NoResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no resolver for DNS")
    }
}

impl Error for NoResolver {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_cannot_be_are_refused_and_nothing_needs_a_runtime() {
        let dns = Dns::servers([], Records::Services).unwrap();
        let second = Duration::from_secs(1);
        for (least, most) in [(Duration::ZERO, second), (2 * second, second)] {
            let refused = dns.clone().refresh_every(least, most).unwrap_err();
            assert_eq!(refused.field(), "refresh_every");
        }
        dns.refresh();
        drop(dns.resolve("echo"));
    }
}
