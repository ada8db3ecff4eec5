//! Why a call was not answered, and how far it got.

use std::{error::Error, fmt, sync::Arc};
use ziggurat_core::{Code, Rejection, Sent, error};

/// The way to the endpoint failed: UNAVAILABLE, and its [`Rejection`] tells how far the call got.
#[derive(Clone, Debug)]
pub struct Undelivered {
    rejection: Rejection,
    cause: Option<Cause>,
}

/// The deadline of the call passed before it could be sent: DEADLINE_EXCEEDED.
#[derive(Clone, Debug)]
pub struct TooLate {
    rejection: Rejection,
}

/// Too many calls wait for a free stream of this endpoint: RESOURCE_EXHAUSTED.
#[derive(Clone, Debug)]
pub struct Crowded {
    rejection: Rejection,
}

/// The name of the service cannot stand in `:authority`, and no other was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidAuthority {
    service: String,
}

/// CONNECT asks for a tunnel, and requests alone are sent here: UNIMPLEMENTED.
#[derive(Clone, Debug)]
pub struct NoTunnel {
    rejection: Rejection,
}

/// A peer that was asked by TLS's ALPN whether it speaks HTTP/2 does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotHttp2 {
    instead: Option<String>,
}

/// Why there is no connection: one error for all the calls that it fails.
pub(crate) type Cause = Arc<dyn Error + Send + Sync>;

/// A try to connect ended without an error of anybody's.
#[derive(Debug)]
pub(crate) struct NotConnected(pub(crate) &'static str);

/// What is said of a peer that did not answer a PING.
pub(crate) const SILENT: &str = "keep-alive timed out";
/// What a peer says is cut to so many bytes: its GOAWAY may carry a text of any length.
const MAX_REASON: usize = 256;

// === impl Undelivered ===

impl Undelivered {
    pub(crate) fn never(reason: impl Into<String>) -> Self {
        Self::new(reason.into(), Sent::Never)
    }

    /// There is no connection.
    pub(crate) fn unconnected(reason: &str, cause: Cause) -> Self {
        Self {
            cause: Some(cause),
            ..Self::never(reason)
        }
    }

    /// The connection failed before it had taken the message.
    pub(crate) fn not_taken(error: &h2::Error) -> Self {
        Self::never(format!("connection closed: {}", describe(error)))
    }

    /// The peer did not answer a PING.
    pub(crate) fn silent() -> Self {
        Self::new(format!("connection failed: {SILENT}"), Sent::Unknown)
    }

    /// The connection failed after it had taken the message.
    pub(crate) fn in_flight(error: &h2::Error) -> Self {
        let reason = format!("connection failed: {}", describe(error));
        Self::new(reason, sent(error))
    }

    /// The body of the answer was cut off.
    pub(crate) fn cut_off(error: &h2::Error) -> Self {
        let reason = format!("answer cut off: {}", describe(error));
        Self::new(reason, Sent::Unknown)
    }

    fn new(reason: String, sent: Sent) -> Self {
        Self {
            rejection: Rejection::undelivered(reason, sent),
            cause: None,
        }
    }

    /// How far the call got.
    #[must_use]
    pub const fn sent(&self) -> Sent {
        self.rejection.sent()
    }

    /// Why the last try to connect failed, if that is why the call did: what a
    /// [transport](crate::Connector::transport) said, rustls, or [`NotHttp2`].
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("call not delivered")
    }
}

impl Error for Undelivered {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

// === impl TooLate ===

impl TooLate {
    pub(crate) fn new(waited_for: &'static str) -> Self {
        let rejection = Rejection::decided(Code::DeadlineExceeded, waited_for);
        Self { rejection }
    }
}

impl fmt::Display for TooLate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline passed before the call was sent")
    }
}

impl Error for TooLate {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

// === impl Crowded ===

impl Crowded {
    pub(crate) fn new() -> Self {
        let reason = "too many calls wait for a stream of the connection";
        let rejection = Rejection::decided(Code::ResourceExhausted, reason);
        Self { rejection }
    }
}

impl fmt::Display for Crowded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connection crowded")
    }
}

impl Error for Crowded {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

// === impl NoTunnel ===

impl NoTunnel {
    pub(crate) fn new() -> Self {
        let reason = "CONNECT asks for a tunnel, and there are none here";
        let rejection = Rejection::decided(Code::Unimplemented, reason);
        Self { rejection }
    }
}

impl fmt::Display for NoTunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no tunnel")
    }
}

impl Error for NoTunnel {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

// === impl InvalidAuthority ===

impl InvalidAuthority {
    pub(crate) fn new(service: &str) -> Self {
        let service = service.to_owned();
        Self { service }
    }

    /// The name of the service.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }
}

impl fmt::Display for InvalidAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service } = self;
        let rule = "must be host or host:port, or an authority must be set";
        write!(f, "invalid connector: service {service:?} {rule}")
    }
}

impl Error for InvalidAuthority {}

// === impl NotHttp2 ===

impl NotHttp2 {
    #[cfg(feature = "tls")]
    pub(crate) fn instead(protocol: Option<&[u8]>) -> Self {
        let instead = protocol.map(|name| String::from_utf8_lossy(name).into_owned());
        Self { instead }
    }

    /// What it chose instead; `None`: it does not take part in ALPN.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.instead.as_deref()
    }
}

impl fmt::Display for NotHttp2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.instead {
            Some(other) => write!(f, "the peer speaks {other:?}, and not HTTP/2"),
            None => f.write_str("the peer did not say by ALPN that it speaks HTTP/2"),
        }
    }
}

impl Error for NotHttp2 {}

// === impl NotConnected ===

impl fmt::Display for NotConnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for NotConnected {}

/// An error and all its causes in one line.
pub(crate) fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    let end = (0..=MAX_REASON.min(text.len())).rfind(|at| text.is_char_boundary(*at));
    text.truncate(end.unwrap_or(0));
    text
}

/// How far a call got that has a stream.
fn sent(error: &h2::Error) -> Sent {
    // A GOAWAY is the error of those streams alone that stand above its last one.
    let gone_away = error.is_go_away();
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    if error.is_remote() && (gone_away || refused) {
        Sent::Unprocessed
    } else {
        Sent::Unknown
    }
}

/// Did the peer end the connection because it was asked too often?
pub(crate) fn is_calm_wanted(failed: &(dyn Error + Send + Sync + 'static)) -> bool {
    error::find::<h2::Error>(failed).is_some_and(|error| {
        error.is_remote()
            && error.is_go_away()
            && error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM)
    })
}
