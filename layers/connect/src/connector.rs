//! Makes endpoints of instances.

use crate::{
    connection::Connection,
    future::{ConnectFuture, Start},
    keeper::Keeper,
    maker::Maker,
    observer::Observer,
    road::{self, Io, Road, Secure, Security, Transport},
    settings::Settings,
    shared::{Phase, Shared},
    sockets::Sockets,
    target::Target,
};
use http::{
    HeaderValue,
    uri::{Authority, Scheme},
};
use std::{
    fmt,
    marker::PhantomData,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::{Notify, watch};
use tower_service::Service;
use ziggurat_core::{Availability, BoxError, Dice, Instance, Reporter, State};

/// Makes a [`Connection`] of an [`Instance`], over cleartext HTTP/2 or, by feature `tls`, over TLS.
///
/// It answers at once; the connection is made in the background.
///
/// # Defaults
///
/// The default [`Settings`]; [`Sockets`] as transport; no TLS; the name of the service as
/// `:authority`; `ziggurat/<version>` as `user-agent`; jitter from the thread's generator; nobody who observes.
pub struct Connector<B> {
    settings: Settings,
    /// `None`: sockets, as the settings say.
    transport: Option<Transport>,
    security: Option<Security>,
    service: Option<Arc<str>>,
    authority: Option<Authority>,
    user_agent: HeaderValue,
    dice: Dice,
    observer: Arc<dyn Observer>,
    body: PhantomData<fn(B)>,
}

const USER_AGENT: &str = concat!("ziggurat/", env!("CARGO_PKG_VERSION"));

// === impl Connector ===

impl<B> Connector<B> {
    /// Connects as `settings` say.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            transport: None,
            security: None,
            service: None,
            authority: None,
            user_agent: HeaderValue::from_static(USER_AGENT),
            dice: Dice::new(),
            observer: Arc::new(()),
            body: PhantomData,
        }
    }

    /// Connects as `settings` say from now on.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Gets its bytes there by `transport`, a tower service that opens an [`Io`] to an instance,
    /// instead of by [`Sockets`]; HTTP/2, and TLS if it is wanted, run above it.
    ///
    /// Every try to connect makes a clone of it ready and calls that, within the connect timeout.
    #[must_use]
    pub fn transport<T>(mut self, transport: T) -> Self
    where
        T: Service<Instance> + Clone + Send + Sync + 'static,
        T::Response: Io,
        T::Error: Into<BoxError>,
        T::Future: Send,
    {
        self.transport = Some(road::transport(transport));
        self
    }

    /// Speaks TLS to every instance, whatever its registry says of it.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: crate::Tls) -> Self {
        self.security = Some(Arc::new(move |service| tls.for_service(service)));
        self
    }

    /// Takes every instance for one of `service`, for `:authority` and for the name that a
    /// certificate must be for, whatever service its registry says that it is of.
    #[must_use]
    pub fn service(mut self, service: &str) -> Self {
        self.service = Some(service.into());
        self
    }

    /// Asks for `authority` instead of the name of the service. A request that has one keeps it.
    #[must_use]
    pub fn authority(mut self, authority: Authority) -> Self {
        self.authority = Some(authority);
        self
    }

    /// Introduces itself so. A request that has a `user-agent` keeps it.
    #[must_use]
    pub fn user_agent(mut self, user_agent: HeaderValue) -> Self {
        self.user_agent = user_agent;
        self
    }

    /// Draws the jitter from `dice`.
    #[must_use]
    pub fn dice(mut self, dice: Dice) -> Self {
        self.dice = dice;
        self
    }

    /// Tells `observer` of every connection that comes, fails or goes.
    #[must_use]
    pub fn observe_with(mut self, observer: impl Observer) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Tells in advance whether it can make connections to instances of `service`.
    ///
    /// # Errors
    ///
    /// [`InvalidAuthority`](crate::InvalidAuthority) if the name cannot stand in `:authority` and no
    /// other was set; `InvalidTls` if no certificate can be for it.
    pub fn check(&self, service: &str) -> Result<(), BoxError> {
        self.lead_to(service).map(|_| ())
    }

    fn lead_to(&self, service: &str) -> Result<(Option<Secure>, Target), BoxError> {
        let service = self.service.as_deref().unwrap_or(service);
        let (secure, scheme) = match &self.security {
            Some(security) => (Some(security(service)?), Scheme::HTTPS),
            None => (None, Scheme::HTTP),
        };
        let authority = self.authority.as_ref();
        let target = Target::new(service, scheme, authority, &self.user_agent)?;
        Ok((secure, target))
    }

    fn start(&self, instance: Instance) -> Result<Start, BoxError> {
        let (secure, target) = self.lead_to(instance.service())?;
        let sockets = || road::sockets(Sockets::new(self.settings));
        let availability = Availability::new();
        availability.report(Reporter::Connection, State::Connecting);
        let shared = Arc::new(Shared {
            id: instance.id().clone(),
            weight: instance.weight().get(),
            availability: availability.clone(),
            target,
            phase: watch::Sender::new(Phase::Connecting),
            moved: Notify::new(),
        });
        let maker = Maker {
            road: Road {
                instance,
                transport: self.transport.clone().unwrap_or_else(sockets),
                secure,
            },
            settings: self.settings,
            dice: self.dice.clone(),
            observer: Arc::clone(&self.observer),
        };
        let keeper = Keeper {
            maker: Arc::new(maker),
            availability,
            phase: shared.phase.subscribe(),
            shared: Arc::downgrade(&shared),
        };
        Ok(Start { shared, keeper })
    }
}

impl<B> Default for Connector<B> {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl<B> Clone for Connector<B> {
    fn clone(&self) -> Self {
        Self {
            settings: self.settings,
            transport: self.transport.clone(),
            security: self.security.clone(),
            service: self.service.clone(),
            authority: self.authority.clone(),
            user_agent: self.user_agent.clone(),
            dice: self.dice.clone(),
            observer: Arc::clone(&self.observer),
            body: PhantomData,
        }
    }
}

impl<B> Service<Instance> for Connector<B>
where
    B: http_body::Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Connection<B>;
    type Error = BoxError;
    type Future = ConnectFuture<B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, instance: Instance) -> ConnectFuture<B> {
        ConnectFuture::new(self.start(instance))
    }
}

impl<B> fmt::Debug for Connector<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("settings", &self.settings)
            .field("secure", &self.security.is_some())
            .field("authority", &self.authority)
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}
