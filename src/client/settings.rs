//! What may be set for the channels to a service.

use super::observer::Observers;
use http::{HeaderValue, Request, uri::Authority};
use std::{num::NonZeroUsize, time::Duration};
use tower::Service;
use ziggurat_balance::{self as balance, BoxPolicy, Policy};
use ziggurat_breaker as breaker;
use ziggurat_connect as connect;
use ziggurat_core::{BoxError, Instance, InvalidSetting, Live};
use ziggurat_deadline as deadline;
use ziggurat_discover::Feedback;
use ziggurat_health as health;
use ziggurat_retry::{self as retry, Methods, ReplayBody, hedge};

/// What holds for the channels to a service.
///
/// Everything but the connection and what is asked of it may be a [`Live`] value, which changes under running channels.
///
/// # Defaults
///
/// A call to which nobody gave a deadline ends after 30 s, the last byte of its answer included; gRPC
/// itself has no such default, under which one hung server keeps a caller for ever. A stream is a call
/// too: one that lives longer says so ([`without_timeout`](super::RequestExt::without_timeout)), and a
/// channel of nothing but such streams is [`unbounded`](deadline::Settings::unbounded). Nothing
/// is hedged. Endpoints are picked by [`P2c`](balance::P2c). Everything else is the default of its layer;
/// `:authority` is the name of the service.
#[derive(Clone, Debug)]
pub struct ChannelSettings {
    pub(super) deadline: Live<deadline::Settings>,
    pub(super) breaker: Live<breaker::Settings>,
    pub(super) retry: Live<retry::Settings>,
    pub(super) retry_by_method: Option<Live<Methods<retry::Settings>>>,
    pub(super) hedge: Live<hedge::Settings>,
    pub(super) hedge_by_method: Option<Live<Methods<hedge::Settings>>>,
    pub(super) balance: Live<balance::Settings>,
    pub(super) policy: BoxPolicy<AttemptRequest>,
    pub(super) health: Live<health::Settings>,
    pub(super) active_health: Option<health::active::Settings>,
    pub(super) subset: Option<NonZeroUsize>,
    pub(super) feedback: Option<Feedback>,
    pub(super) connector: Connector,
    pub(super) x_trace_id: bool,
    pub(super) observers: Observers,
}

/// A request as it is when an endpoint is picked for it: one for each attempt of a call.
///
/// Its headers and extensions are those of the call, with what the layers above have added. What is
/// written for any body, `&http::Request<_>`, need not name it.
pub type AttemptRequest = Request<ReplayBody<tonic::body::Body>>;

/// What makes the connections of a channel.
pub(super) type Connector = connect::Connector<ReplayBody<tonic::body::Body>>;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

// === impl ChannelSettings ===

impl Default for ChannelSettings {
    fn default() -> Self {
        Self::new()
    }
}

impl ChannelSettings {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            deadline: deadline::Settings::new(DEFAULT_TIMEOUT)
                .unwrap_or_default()
                .into(),
            breaker: breaker::Settings::default().into(),
            // The deadline layer outside keeps the time for all attempts.
            retry: retry::Settings::default().enforce_deadline(false).into(),
            retry_by_method: None,
            hedge: hedge::Settings::off().into(),
            hedge_by_method: None,
            balance: balance::Settings::default().into(),
            policy: BoxPolicy::default(),
            health: health::Settings::default().into(),
            active_health: None,
            subset: None,
            feedback: None,
            connector: Connector::default(),
            x_trace_id: true,
            observers: Observers::default(),
        }
    }

    /// How long calls may take.
    #[must_use]
    pub fn deadline(mut self, settings: impl Into<Live<deadline::Settings>>) -> Self {
        self.deadline = settings.into();
        self
    }

    /// When to stop calling the service.
    #[must_use]
    pub fn breaker(mut self, settings: impl Into<Live<breaker::Settings>>) -> Self {
        self.breaker = settings.into();
        self
    }

    /// What to try again, and how often.
    #[must_use]
    pub fn retry(mut self, settings: impl Into<Live<retry::Settings>>) -> Self {
        self.retry = settings.into();
        self
    }

    /// The same for some methods, as `retryPolicy` has it in gRPC's service config; all others have
    /// what [`retry`](Self::retry) says.
    ///
    /// The deadline layer keeps the time here: [`enforce_deadline(false)`](retry::Settings::enforce_deadline)
    /// saves each call a timer.
    #[must_use]
    pub fn retry_by_method(mut self, methods: impl Into<Live<Methods<retry::Settings>>>) -> Self {
        self.retry_by_method = Some(methods.into());
        self
    }

    /// Which calls to make once more beside themselves when they are slow, instead of trying them
    /// again when they have failed; by default none. Both draw on the budget of the
    /// [retries](Self::retry).
    ///
    /// Only calls that may be made twice are hedged. Here two methods may, whoever calls them; in all
    /// others only what is [`idempotent`](super::RequestExt::idempotent) could be, and is not:
    ///
    /// ```
    /// use std::time::Duration;
    /// use ziggurat::{client::ChannelSettings, retry::{Methods, hedge::{self, Delay}}};
    ///
    /// let delay = Delay::Measured {
    ///     percent: 95,
    ///     min: Duration::from_millis(5),
    ///     max: Duration::from_millis(200),
    /// };
    /// let hedge = hedge::Settings::new().delay(delay)?.any_call(true);
    /// let reads = Methods::new().on("/shop.Cart/Get", hedge)?.on("/shop.Cart/List", hedge)?;
    /// let settings = ChannelSettings::new().hedge_by_method(reads);
    /// # drop(settings);
    /// # Ok::<_, ziggurat::core::InvalidSetting>(())
    /// ```
    #[must_use]
    pub fn hedge(mut self, settings: impl Into<Live<hedge::Settings>>) -> Self {
        self.hedge = settings.into();
        self
    }

    /// The same for some methods, as `hedgingPolicy` has it in gRPC's service config; all others have
    /// what [`hedge`](Self::hedge) says.
    #[must_use]
    pub fn hedge_by_method(mut self, methods: impl Into<Live<Methods<hedge::Settings>>>) -> Self {
        self.hedge_by_method = Some(methods.into());
        self
    }

    /// How to weigh endpoints, and how long to wait for one.
    #[must_use]
    pub fn balance(mut self, settings: impl Into<Live<balance::Settings>>) -> Self {
        self.balance = settings.into();
        self
    }

    /// Picks endpoints by `policy`, one of [`ziggurat::balance`](balance) or one's own; by default the better
    /// of two, [`P2c`](balance::P2c). Everything else of the channel stays as it is: each attempt
    /// picks again, elsewhere when there is an elsewhere.
    ///
    /// All but the default want [health checks](Self::health) that eject: they know nothing of failures.
    /// Channels share no state of a policy.
    ///
    /// ```
    /// use std::hash::{DefaultHasher, Hash, Hasher};
    /// use ziggurat::{
    ///     balance::{LoadReports, RingHash, RoundRobin},
    ///     client::{ChannelSettings, Ziggurat},
    /// };
    ///
    /// // As often as each server has room by its own reports (gRFC A58).
    /// let by_load = ChannelSettings::new().balance_by(RoundRobin::by_load(LoadReports::new()));
    /// // The calls of one user to one server, for whom it has them at hand.
    /// let by_user = RingHash::by(|request: &http::Request<_>| {
    ///     let mut hasher = DefaultHasher::new();
    ///     request.headers().get("user-id")?.hash(&mut hasher);
    ///     Some(hasher.finish())
    /// });
    /// let by_user = ChannelSettings::new().balance_by(by_user);
    ///
    /// # let resolve = ziggurat::discover::Fixed::new([]);
    /// let ziggurat = Ziggurat::new(resolve).settings(by_load).service("cart", by_user);
    /// let carts = ziggurat.channel("cart");
    /// # drop(carts);
    /// ```
    ///
    /// A ring hash that is to agree with that of other processes needs the same endpoints: with more than
    /// 32 instances raise the [`subset`](Self::subset), which is another one in each process.
    #[must_use]
    pub fn balance_by(mut self, policy: impl Policy<AttemptRequest>) -> Self {
        self.policy = BoxPolicy::new(policy);
        self
    }

    /// When to take an endpoint out.
    #[must_use]
    pub fn health(mut self, settings: impl Into<Live<health::Settings>>) -> Self {
        self.health = settings.into();
        self
    }

    /// Asks each endpoint how it does, by `grpc.health.v1`; by default nobody is asked.
    #[must_use]
    pub fn active_health(mut self, settings: health::active::Settings) -> Self {
        self.active_health = Some(settings);
        self
    }

    /// Whether requests say in `x-trace-id`, besides `traceparent`, which trace they belong to; by
    /// default they do. Where nobody reads it, a call is cheaper without.
    #[must_use]
    pub const fn x_trace_id(mut self, tell: bool) -> Self {
        self.x_trace_id = tell;
        self
    }

    /// How to connect.
    ///
    /// A server may make a connection hold as much unread answer as its
    /// [window](connect::Settings::windows): 256 MiB by default, and 2 MiB a call. Where servers are
    /// not trusted it is lowered here: `connect::Settings::new().windows(256 << 10, 16 << 20)?` holds 16 MiB.
    #[must_use]
    pub fn connect(mut self, settings: connect::Settings) -> Self {
        self.connector = self.connector.settings(settings);
        self
    }

    /// Speaks TLS to every endpoint. It must prove to be the service by its name; nothing that a
    /// registry says changes that.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: connect::Tls) -> Self {
        self.connector = self.connector.tls(tls);
        self
    }

    /// Gets to the endpoints by `transport` instead of by sockets: a tower service that opens a
    /// stream of bytes to an [`Instance`]. HTTP/2, and TLS if it is set, run above it.
    #[must_use]
    pub fn transport<T>(mut self, transport: T) -> Self
    where
        T: Service<Instance> + Clone + Send + Sync + 'static,
        T::Response: connect::Io,
        T::Error: Into<BoxError>,
        T::Future: Send,
    {
        self.connector = self.connector.transport(transport);
        self
    }

    /// Connects to so many instances at most, of more to a random choice; by default to 32.
    #[must_use]
    pub const fn subset(mut self, most: NonZeroUsize) -> Self {
        self.subset = Some(most);
        self
    }

    /// Tells `feedback` how the endpoints do: zones and DNS want to know.
    #[must_use]
    pub fn feedback(mut self, feedback: Feedback) -> Self {
        self.feedback = Some(feedback);
        self
    }

    /// Calls the service by this `:authority`, `host` or `host:port`.
    ///
    /// # Errors
    ///
    /// If it is no authority.
    pub fn authority(mut self, authority: &str) -> Result<Self, InvalidSetting> {
        let rule = "must be host or host:port";
        let parsed = authority.parse::<Authority>().ok();
        // RFC 9113, 8.3.1: nobody logs in by `:authority`.
        let parsed = parsed.filter(|_| !authority.contains('@'));
        let parsed = parsed.ok_or_else(|| invalid("authority", authority, rule))?;
        self.connector = self.connector.authority(parsed);
        Ok(self)
    }

    /// Puts this before the name of the client library in `user-agent`.
    ///
    /// # Errors
    ///
    /// If it cannot stand in a header.
    pub fn user_agent(mut self, user_agent: &str) -> Result<Self, InvalidSetting> {
        let parsed = HeaderValue::from_str(user_agent);
        let parsed =
            parsed.map_err(|_| invalid("user_agent", user_agent, "must be visible ASCII"))?;
        self.connector = self.connector.user_agent(parsed);
        Ok(self)
    }
}

fn invalid(field: &'static str, value: &str, rule: &'static str) -> InvalidSetting {
    InvalidSetting::new("channel settings", field, value, rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_stand_in_a_header_is_refused_by_field_and_value() {
        for authority in ["not an authority", "me:secret@house"] {
            let error = ChannelSettings::new().authority(authority).unwrap_err();
            let told = (error.field(), error.value());
            assert_eq!(told, ("authority", &*format!("{authority:?}")));
        }
        let error = ChannelSettings::new().user_agent("a\nb").unwrap_err();
        assert_eq!((error.field(), error.value()), ("user_agent", r#""a\nb""#));
    }
}
