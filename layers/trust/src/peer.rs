//! Who sent a request, as far as the connection tells.

use http::Extensions;
use std::net::IpAddr;

/// Who sent a request, as far as the connection tells; no header has a say in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Where the connection comes from.
    pub address: Option<IpAddr>,
    /// It showed a certificate, and whoever ended TLS has verified it.
    pub certified: bool,
}

/// Finds the peer in the extensions of a request, where the server put it.
///
/// A function will do: `|extensions: &Extensions| Peer::at(..)`.
pub trait PeerExtractor {
    /// Who sent the request.
    fn peer(&self, extensions: &Extensions) -> Peer;
}

/// Knows nobody: every peer is a stranger.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unknown;

// === impl Peer ===

impl Peer {
    /// Whoever is at this address.
    #[must_use]
    pub const fn at(address: Option<IpAddr>) -> Self {
        Self {
            address,
            certified: false,
        }
    }

    /// It showed a certificate that was verified.
    #[must_use]
    pub const fn certified(mut self, certified: bool) -> Self {
        self.certified = certified;
        self
    }
}

// === impl PeerExtractor ===

impl PeerExtractor for Unknown {
    fn peer(&self, _: &Extensions) -> Peer {
        Peer::default()
    }
}

impl<F: Fn(&Extensions) -> Peer> PeerExtractor for F {
    fn peer(&self, extensions: &Extensions) -> Peer {
        self(extensions)
    }
}
