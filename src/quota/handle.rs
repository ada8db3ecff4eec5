//! The Redis that limits are kept on, and how it is asked.

use super::{
    driver::{Driver, Link, Order},
    observer::Observer,
    outage::OnOutage,
    script::Layout,
    server::Server,
};
use parking_lot::Mutex;
use std::{fmt, ops::RangeInclusive, sync::Arc, time::Duration};
use tokio::runtime::Handle;
use ziggurat_core::{Dice, InvalidSetting};

/// A Redis that limits are kept on; clones share its connection.
///
/// Redis 5 or newer, one server or its primary, over TCP or TLS. It is connected to at the first call, by a
/// task of the runtime of that call that ends with the last clone and the last layer.
///
/// # Defaults
///
/// [`Layout::Gcra`] with keys under `ziggurat:limit`, 50 ms for an answer, leases of 100 ms, 65,536 keys
/// a layer.
#[derive(Clone)]
pub struct RedisQuota(Arc<Inner>);

struct Inner {
    link: Arc<Link>,
    /// From the first call on.
    driver: Mutex<Option<Driver>>,
}

/// How Redis is asked.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) server: Server,
    pub(super) on_outage: OnOutage,
    pub(super) layout: Layout,
    pub(super) prefix: Arc<str>,
    pub(super) timeout: Duration,
    pub(super) lease: Duration,
    pub(super) keys: usize,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) dice: Dice,
}

/// The longest that a call may wait for Redis.
const LONGEST: Duration = Duration::from_secs(10);
const LEASES: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_millis(500);
const MOST_KEYS: usize = 1 << 24;
/// The longest prefix, in bytes.
const MAX_PREFIX: usize = 256;

// === impl RedisQuota ===

impl RedisQuota {
    /// The Redis at this address: `redis://user:password@host:port/database`.
    ///
    /// # Errors
    ///
    /// If the address is none, or one of TLS; what is wrong with it is told without it, as it may hold a
    /// password.
    pub fn open(url: &str, on_outage: OnOutage) -> Result<Self, InvalidSetting> {
        Ok(Self::of(Server::plain(url)?, on_outage))
    }

    /// The Redis at this address, by TLS: `rediss://user:password@host:port/database`.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and if the address is one without TLS, or asks for TLS that is not
    /// verified.
    #[cfg(feature = "tls")]
    pub fn secure(
        url: &str,
        tls: super::RedisTls,
        on_outage: OnOutage,
    ) -> Result<Self, InvalidSetting> {
        Ok(Self::of(Server::secure(url, tls)?, on_outage))
    }

    fn of(server: Server, on_outage: OnOutage) -> Self {
        Self::new(Settings {
            server,
            on_outage,
            layout: Layout::default(),
            prefix: "ziggurat:limit".into(),
            timeout: Duration::from_millis(50),
            lease: Duration::from_millis(100),
            keys: 65_536,
            observer: Arc::new(()),
            dice: Dice::new(),
        })
    }

    /// Keeps limits where gochat's Go services of this name keep them, as they do: a key is
    /// `ratelimit:<service>:<rule>:<key>`. What they wrote goes on.
    ///
    /// # Errors
    ///
    /// As [`prefix`](Self::prefix).
    pub fn gochat(self, service: &str) -> Result<Self, InvalidSetting> {
        let quota = self.prefix(&format!("ratelimit:{service}"))?;
        Ok(quota.with(|settings| settings.layout = Layout::Gochat))
    }

    /// Begins all keys with this: `prefix:rule:key`.
    ///
    /// # Errors
    ///
    /// If it is empty or longer than 256 bytes.
    pub fn prefix(self, prefix: &str) -> Result<Self, InvalidSetting> {
        if prefix.is_empty() || prefix.len() > MAX_PREFIX {
            let rule = "must have from 1 to 256 bytes";
            return Err(invalid("prefix", prefix.len(), rule));
        }
        Ok(self.with(|settings| settings.prefix = prefix.into()))
    }

    /// Keeps limits in this form.
    #[must_use]
    pub fn layout(self, layout: Layout) -> Self {
        self.with(|settings| settings.layout = layout)
    }

    /// Has the policy decide about a call when Redis has not answered after this time.
    ///
    /// # Errors
    ///
    /// If it is zero or above 10 s.
    pub fn timeout(self, timeout: Duration) -> Result<Self, InvalidSetting> {
        if timeout.is_zero() || timeout > LONGEST {
            let rule = "must be above zero and at most 10 s";
            return Err(invalid("timeout", timeout, rule));
        }
        Ok(self.with(|settings| settings.timeout = timeout))
    }

    /// Takes calls of a key that is hot in advance: as many as it uses in about this time, never more
    /// than its rate brings in it, nor than an eighth of its burst. What is not used within it is lost.
    ///
    /// What was taken in advance may be used when the burst has come together again: over any time `t`
    /// no more is admitted than `burst + rate * (t + 2 * lease)`, and from the first call on no more than
    /// `burst + rate * t`.
    ///
    /// # Errors
    ///
    /// If it is below 10 ms or above 500 ms.
    pub fn lease(self, lease: Duration) -> Result<Self, InvalidSetting> {
        if !LEASES.contains(&lease) {
            return Err(invalid("lease", lease, "must be from 10 to 500 ms"));
        }
        Ok(self.with(|settings| settings.lease = lease))
    }

    /// Has room for so many keys in each layer. One that finds no place costs a question a call.
    ///
    /// # Errors
    ///
    /// If it is zero or above 16,777,216.
    pub fn keys(self, keys: usize) -> Result<Self, InvalidSetting> {
        if keys == 0 || keys > MOST_KEYS {
            let rule = "must be from 1 to 16,777,216";
            return Err(invalid("keys", keys, rule));
        }
        Ok(self.with(|settings| settings.keys = keys))
    }

    /// Tells `observer` what happens.
    #[must_use]
    pub fn observe_with(self, observer: impl Observer) -> Self {
        self.with(|settings| settings.observer = Arc::new(observer))
    }

    /// Draws its jitter from here.
    #[must_use]
    pub fn dice(self, dice: Dice) -> Self {
        self.with(|settings| settings.dice = dice)
    }

    /// Whether Redis answered when it was last asked; so it seems before the first call, too.
    #[must_use]
    pub fn is_reachable(&self) -> bool {
        !self.0.link.is_down()
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0.link.settings
    }

    /// Has Redis asked, if that can be.
    pub(super) fn order(&self, order: Order) {
        let mut driver = self.0.driver.lock();
        if !driver.as_ref().is_some_and(Driver::is_alive) {
            // Outside of a runtime there is nobody who could ask.
            *driver = Handle::try_current()
                .ok()
                .map(|_| Driver::start(Arc::clone(&self.0.link)));
        }
        if let Some(driver) = &*driver {
            driver.order(order);
        }
    }

    fn new(settings: Settings) -> Self {
        Self(Arc::new(Inner {
            link: Arc::new(Link::new(settings)),
            driver: Mutex::new(None),
        }))
    }

    /// Others may share this one, so it stays as it is.
    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.settings().clone();
        change(&mut settings);
        Self::new(settings)
    }
}

impl fmt::Debug for RedisQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisQuota")
            .field("settings", self.settings())
            .field("reachable", &self.is_reachable())
            .finish_non_exhaustive()
    }
}

// === impl Settings ===

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client knows the password.
        f.debug_struct("Settings")
            .field("on_outage", &self.on_outage)
            .field("layout", &self.layout)
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("lease", &self.lease)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

fn invalid(field: &'static str, value: impl fmt::Debug, rule: &'static str) -> InvalidSetting {
    InvalidSetting::new("redis quota", field, value, rule)
}
