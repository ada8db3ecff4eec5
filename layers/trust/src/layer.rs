//! The layer: whom to believe, and what strangers may say.

use crate::{Observer, Peer, PeerExtractor, Settings, Trust, Unknown, networks, service::Shared};
use http::Extensions;
use ipnet::IpNet;
use std::{fmt, sync::Arc};
use tower_layer::Layer;
use ziggurat_core::Live;

/// Takes from requests what their senders may not say. See the [crate](crate) for what that is.
#[derive(Clone)]
pub struct TrustLayer<P = Unknown> {
    pub(crate) peer: P,
    pub(crate) shared: Arc<Shared>,
}

// === impl TrustLayer ===

impl TrustLayer {
    /// At the edge: everybody is a stranger.
    ///
    /// To keep what proxies say, tell by [`peer_with`](Self::peer_with) who a peer is.
    pub fn edge(settings: impl Into<Live<Settings>>) -> Self {
        Self::with(Shared::new(settings.into(), Arc::default(), false))
    }

    /// Inside: peers in these networks are believed, or none if there are none; all others are
    /// strangers. Who a peer is has to be told by [`peer_with`](Self::peer_with).
    pub fn internal(
        networks: impl IntoIterator<Item = IpNet>,
        settings: impl Into<Live<Settings>>,
    ) -> Self {
        let networks = networks::collect(networks);
        Self::with(Shared::new(settings.into(), networks, false))
    }

    fn with(shared: Shared) -> Self {
        Self {
            peer: Unknown,
            shared: Arc::new(shared),
        }
    }
}

impl<P> TrustLayer<P> {
    /// Finds peers by this: a function from the extensions of a request to a [`Peer`].
    #[must_use]
    pub fn peer_with<Q>(self, peer: Q) -> TrustLayer<Q>
    where
        Q: Fn(&Extensions) -> Peer,
    {
        self.peer_by(peer)
    }

    /// As [`peer_with`](Self::peer_with), for an extractor that is no function.
    #[must_use]
    pub fn peer_by<Q: PeerExtractor>(self, peer: Q) -> TrustLayer<Q> {
        TrustLayer {
            peer,
            shared: self.shared,
        }
    }

    /// Believes whoever showed a certificate, too; that it is of the right authority is for whoever ends
    /// TLS to see.
    #[must_use]
    pub fn believe_certificates(self) -> Self {
        self.change(|shared| shared.certificates = true)
    }

    /// Tells `observer` what was not believed.
    #[must_use]
    pub fn observe_with(self, observer: impl Observer) -> Self {
        self.change(|shared| shared.observer = Some(Arc::new(observer)))
    }

    fn change(self, change: impl FnOnce(&mut Shared)) -> Self {
        let mut shared = Shared::clone(&self.shared);
        change(&mut shared);
        Self {
            shared: Arc::new(shared),
            ..self
        }
    }
}

impl<S, P: Clone> Layer<S> for TrustLayer<P> {
    type Service = Trust<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        Trust::new(inner, self.clone())
    }
}

impl<P> fmt::Debug for TrustLayer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustLayer")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}
