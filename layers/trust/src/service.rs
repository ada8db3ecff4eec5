//! The service that believes few.

use crate::{
    Observer, PeerExtractor, Settings, TrustLayer, Unknown, networks::is_in, rules::distrust,
};
use http::Request;
use ipnet::IpNet;
use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};
use tower_service::Service;
use ziggurat_core::Live;

/// A service that hears from strangers only what they may say.
#[derive(Clone)]
pub struct Trust<S, P = Unknown> {
    inner: S,
    layer: TrustLayer<P>,
}

#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) settings: Live<Settings>,
    pub(crate) networks: Arc<[IpNet]>,
    pub(crate) certificates: bool,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

// === impl Trust ===

impl<S, P> Trust<S, P> {
    pub(crate) const fn new(inner: S, layer: TrustLayer<P>) -> Self {
        Self { inner, layer }
    }

    /// The service inside.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Takes the service out.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, P, B> Service<Request<B>> for Trust<S, P>
where
    S: Service<Request<B>>,
    P: PeerExtractor,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let peer = self.layer.peer.peer(request.extensions());
        let shared = &self.layer.shared;
        let believed =
            shared.certificates && peer.certified || is_in(&shared.networks, peer.address);
        if !believed {
            shared.settings.read(|settings| {
                distrust(request.headers_mut(), settings, peer.address, |what| {
                    if let Some(observer) = &shared.observer {
                        observer.distrusted(what);
                    }
                });
            });
        }
        self.inner.call(request)
    }
}

impl<S: fmt::Debug, P> fmt::Debug for Trust<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("inner", &self.inner)
            .field("layer", &self.layer)
            .finish()
    }
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(
        settings: Live<Settings>,
        networks: Arc<[IpNet]>,
        certificates: bool,
    ) -> Self {
        Self {
            settings,
            networks,
            certificates,
            observer: None,
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("settings", &self.settings)
            .field("networks", &self.networks)
            .field("certificates", &self.certificates)
            .finish_non_exhaustive()
    }
}
