//! Whose address a request comes from.

use super::{Key, KeyExtractor, forwarded};
use http::{Extensions, HeaderMap, Request};
use ipnet::{IpNet, Ipv4Net};
use std::{fmt, net::IpAddr, sync::Arc};
use ziggurat_core::InvalidSetting;

/// The network that a request comes from: that of the peer, or of whom trusted proxies name.
///
/// Who holds one IPv6 address holds a whole network of them, so what is counted is the network.
///
/// A server puts it into the extensions of a request: tonic always (`TcpConnectInfo`), axum only if the router
/// is served by `into_make_service_with_connect_info::<SocketAddr>()` (`ConnectInfo<SocketAddr>`). Requests
/// without an address have no key, and share one limit.
///
/// # Defaults
///
/// All 32 bits of an IPv4 address, 64 of an IPv6 address; nobody is trusted.
///
/// ```
/// use std::net::{IpAddr, SocketAddr};
/// use ziggurat_limit::{ByAddress, Forwarding, Key, KeyExtractor};
///
/// // Behind axum: `extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())`.
/// let by = ByAddress::of_peer(|extensions| extensions.get().map(SocketAddr::ip))
///     .behind(["10.0.0.0/8".parse()?], Forwarding::XForwardedFor);
///
/// let request = http::Request::builder()
///     .extension(SocketAddr::from(([10, 0, 0, 7], 4_711)))
///     .header("x-forwarded-for", "6.6.6.6, 192.0.2.9, 10.0.0.8")
///     .body(())?;
/// assert_eq!(by.key(&request), Some(Key::network([192, 0, 2, 9].into(), 32, 64)));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ByAddress<F> {
    peer: F,
    v4: u8,
    v6: u8,
    proxies: Arc<[IpNet]>,
    forwarding: Forwarding,
}

/// The header that the proxies in front of a server append to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Forwarding {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded`, of RFC 7239.
    Forwarded,
}

// === impl ByAddress ===

impl<F: Fn(&Extensions) -> Option<IpAddr>> ByAddress<F> {
    /// The address of the peer, which `peer` finds in the extensions of a request.
    pub fn of_peer(peer: F) -> Self {
        Self {
            peer,
            v4: 32,
            v6: 64,
            proxies: Arc::default(),
            forwarding: Forwarding::XForwardedFor,
        }
    }

    /// Believes peers in these networks, and only these, about whom they forward for.
    ///
    /// The header is read from the right, where the nearest proxy wrote, past every address in these
    /// networks; the first other one is the client. Only this header is read: it must be the one that
    /// the proxies write, as the other is whatever the client sent.
    #[must_use]
    pub fn behind(
        mut self,
        proxies: impl IntoIterator<Item = IpNet>,
        forwarding: Forwarding,
    ) -> Self {
        self.proxies = proxies.into_iter().map(canonical).collect();
        self.forwarding = forwarding;
        self
    }

    /// Counts addresses together that have so many bits in common.
    ///
    /// # Errors
    ///
    /// If `v4` is zero or above 32, or `v6` zero or above 128.
    pub fn prefixes(mut self, v4: u8, v6: u8) -> Result<Self, InvalidSetting> {
        for (field, prefix, most, rule) in [
            ("v4", v4, 32, "must be from 1 to 32"),
            ("v6", v6, 128, "must be from 1 to 128"),
        ] {
            if prefix == 0 || prefix > most {
                return Err(InvalidSetting::new("address prefix", field, prefix, rule));
            }
        }
        (self.v4, self.v6) = (v4, v6);
        Ok(self)
    }

    /// The address that a request comes from.
    pub fn address<B>(&self, request: &Request<B>) -> Option<IpAddr> {
        let peer = (self.peer)(request.extensions())?.to_canonical();
        if !self.trusts(peer) {
            return Some(peer);
        }
        Some(match self.forwarding {
            Forwarding::XForwardedFor => {
                self.client(peer, request.headers(), forwarded::x_forwarded_for)
            }
            Forwarding::Forwarded => self.client(peer, request.headers(), forwarded::forwarded),
        })
    }

    fn client<'h, I: Iterator<Item = IpAddr>>(
        &self,
        peer: IpAddr,
        headers: &'h HeaderMap,
        read: impl Fn(&'h HeaderMap) -> I,
    ) -> IpAddr {
        let mut client = peer;
        for address in read(headers) {
            client = address;
            if !self.trusts(address) {
                break;
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.proxies
            .iter()
            .any(|network| network.contains(&address))
    }
}

impl<F, B> KeyExtractor<Request<B>> for ByAddress<F>
where
    F: Fn(&Extensions) -> Option<IpAddr>,
{
    fn key<'r>(&self, request: &'r Request<B>) -> Option<Key<'r>> {
        Some(Key::network(self.address(request)?, self.v4, self.v6))
    }
}

impl<F> fmt::Debug for ByAddress<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByAddress")
            .field("v4", &self.v4)
            .field("v6", &self.v6)
            .field("proxies", &self.proxies)
            .field("forwarding", &self.forwarding)
            .finish_non_exhaustive()
    }
}

/// A network of IPv4 that is mapped into IPv6 is that of IPv4, as its addresses are.
fn canonical(network: IpNet) -> IpNet {
    /// The bits before the address of IPv4.
    const MAPPED: u8 = 96;
    let (IpNet::V6(_), IpAddr::V4(address)) = (network, network.addr().to_canonical()) else {
        return network;
    };
    let prefix = network.prefix_len().checked_sub(MAPPED);
    let mapped = prefix.and_then(|prefix| Ipv4Net::new(address, prefix).ok());
    mapped.map_or(network, IpNet::V4)
}
