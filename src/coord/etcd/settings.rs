//! How to reach a cluster, and how long to wait for it.

use super::{endpoint::Endpoint, secret::Secret, tls::EtcdTls};
use bytes::Bytes;
use http::uri::Scheme;
use std::time::Duration;
use ziggurat_core::{Backoff, Dice, InvalidSetting};

/// How an [`EtcdStore`](super::EtcdStore) reaches its cluster.
///
/// # Defaults
///
/// | what | default |
/// |---|---|
/// | [`namespace`](Self::namespace) | none |
/// | [`user`](Self::user) | none |
/// | [`try_timeout`](Self::try_timeout) | 2 s |
/// | [`reconnect`](Self::reconnect) | 250 ms, times 2, up to 500 ms, 80 % either way |
/// | [`keep_alive`](Self::keep_alive) | a ping after 10 s without a sign of life, 3 s to answer it |
/// | [`silence`](Self::silence) | 10 s |
///
/// ```
/// use ziggurat::coord::EtcdSettings;
///
/// let settings = EtcdSettings::new(["http://10.0.0.1:2379", "10.0.0.2"])?.namespace("/shop/");
/// let error = EtcdSettings::new(["http://10.0.0.1:2379/v3"]).unwrap_err();
/// assert_eq!(error.field(), "endpoint");
/// # Ok::<_, ziggurat_core::InvalidSetting>(())
/// ```
#[derive(Clone, Debug)]
pub struct EtcdSettings {
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) tls: Option<EtcdTls>,
    pub(super) user: Option<(String, Secret)>,
    pub(super) namespace: Bytes,
    pub(super) try_timeout: Duration,
    pub(super) reconnect: Backoff,
    pub(super) keep_alive: (Duration, Duration),
    pub(super) silence: Duration,
    pub(super) dice: Dice,
}

/// etcd closes a connection that is pinged more often (`--grpc-keepalive-min-time`).
const MIN_KEEP_ALIVE: Duration = Duration::from_secs(5);
/// 30 years: hyper adds these to the time, which cannot hold much more.
const NEVER: Duration = Duration::from_secs(30 * 365 * 86_400);

// === impl EtcdSettings ===

impl EtcdSettings {
    /// A cluster with these members, without TLS. All of them are used.
    ///
    /// # Errors
    ///
    /// If there is none, or one is not `http://host:port`; scheme and port may be left out.
    pub fn new(
        endpoints: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Self, InvalidSetting> {
        Self::with(endpoints, &Scheme::HTTP, None)
    }

    /// A cluster with these members, by TLS.
    ///
    /// # Errors
    ///
    /// If there is none, or one is not `https://host:port`; scheme and port may be left out.
    pub fn secure(
        endpoints: impl IntoIterator<Item = impl AsRef<str>>,
        tls: EtcdTls,
    ) -> Result<Self, InvalidSetting> {
        Self::with(endpoints, &Scheme::HTTPS, Some(tls))
    }

    fn with(
        endpoints: impl IntoIterator<Item = impl AsRef<str>>,
        scheme: &Scheme,
        tls: Option<EtcdTls>,
    ) -> Result<Self, InvalidSetting> {
        let mut parsed: Vec<Endpoint> = Vec::new();
        for endpoint in endpoints {
            let endpoint = Endpoint::parse(endpoint.as_ref(), scheme)?;
            if !parsed.contains(&endpoint) {
                parsed.push(endpoint);
            }
        }
        if parsed.is_empty() {
            return Err(invalid("endpoints", "[]", "must not be empty"));
        }
        // Wide from the first try on, since those who lose one member lose it together; and below a
        // second, so that whoever was lost is back within a second of the cluster.
        let (initial, max) = (Duration::from_millis(250), Duration::from_millis(500));
        Ok(Self {
            endpoints: parsed,
            tls,
            user: None,
            namespace: Bytes::new(),
            try_timeout: Duration::from_secs(2),
            reconnect: Backoff::new(initial, 2.0, max)?.jitter(0.8)?,
            keep_alive: (Duration::from_secs(10), Duration::from_secs(3)),
            silence: Duration::from_secs(10),
            dice: Dice::new(),
        })
    }

    /// Signs in as this user, again whenever the cluster has forgotten it.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.user = Some((name.into(), password.into()));
        self
    }

    /// Stays under this prefix: it is put before every key, and nobody above the store sees it.
    #[must_use]
    pub fn namespace(mut self, prefix: impl Into<Bytes>) -> Self {
        self.namespace = prefix.into();
        self
    }

    /// How long a member may take for one try, with connecting and signing in.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub fn try_timeout(mut self, timeout: Duration) -> Result<Self, InvalidSetting> {
        self.try_timeout = above_zero("try_timeout", timeout)?;
        Ok(self)
    }

    /// How long to leave a member alone before it is tried again, when no other one answers.
    ///
    /// It goes on for ever. A question whose [time for a try](Self::try_timeout) is over before that
    /// is answered by what was wrong last, so the delays are to be below it.
    #[must_use]
    pub const fn reconnect(mut self, backoff: Backoff) -> Self {
        self.reconnect = backoff;
        self
    }

    /// Pings a connection on which nothing was heard for `interval`, and closes it when that is not
    /// answered in `timeout`.
    ///
    /// # Errors
    ///
    /// If `interval` is below 5 s, for which etcd would close the connection, or `timeout` is zero.
    pub fn keep_alive(
        mut self,
        interval: Duration,
        timeout: Duration,
    ) -> Result<Self, InvalidSetting> {
        if interval < MIN_KEEP_ALIVE {
            return Err(invalid(
                "keep_alive interval",
                interval,
                "must be at least 5s",
            ));
        }
        let timeout = above_zero("keep_alive timeout", timeout)?;
        self.keep_alive = (interval.min(NEVER), timeout.min(NEVER));
        Ok(self)
    }

    /// How long a watch may be silent before its member is asked whether it is still there.
    ///
    /// It has the time of one try to answer that, or the watch goes on elsewhere.
    ///
    /// # Errors
    ///
    /// If it is zero.
    pub fn silence(mut self, silence: Duration) -> Result<Self, InvalidSetting> {
        self.silence = above_zero("silence", silence)?;
        Ok(self)
    }

    /// Draws its jitter, and the member to begin with, from here.
    #[must_use]
    pub fn dice(mut self, dice: Dice) -> Self {
        self.dice = dice;
        self
    }
}

fn above_zero(field: &'static str, value: Duration) -> Result<Duration, InvalidSetting> {
    if value.is_zero() {
        return Err(invalid(field, value, "must be above zero"));
    }
    Ok(value)
}

fn invalid(field: &'static str, value: impl std::fmt::Debug, rule: &'static str) -> InvalidSetting {
    InvalidSetting::new("etcd settings", field, value, rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_and_no_password_is_shown() {
        let refused =
            |settings: Result<EtcdSettings, InvalidSetting>| settings.unwrap_err().field();
        assert_eq!(refused(EtcdSettings::new([""; 0])), "endpoints");
        let settings = || EtcdSettings::new(["a", "http://a:2379", "b"]).unwrap();
        assert_eq!(settings().endpoints.len(), 2);
        assert_eq!(
            refused(settings().try_timeout(Duration::ZERO)),
            "try_timeout"
        );
        assert_eq!(refused(settings().silence(Duration::ZERO)), "silence");
        let (often, second) = (Duration::from_millis(4_999), Duration::from_secs(1));
        assert_eq!(
            refused(settings().keep_alive(often, second)),
            "keep_alive interval"
        );
        let shown = format!("{:?}", settings().user("root", "hunter2"));
        assert!(shown.contains("root") && !shown.contains("hunter2"));
    }
}
