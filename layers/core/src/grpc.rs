//! The headers that gRPC defines for what the layers have to say: `grpc-status`, `grpc-timeout`,
//! `grpc-retry-pushback-ms`, `grpc-previous-rpc-attempts`; one that it does not define, the
//! [chain stop](CHAIN_STOP); its [content types](Dialect); and the paths of its health checks.

use crate::{
    Code,
    headers::{FEW, find, least},
};
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use std::{cell::RefCell, error::Error, fmt, time::Duration};

mod dialect;

pub use self::dialect::{Dialect, dialect};

/// The status code of an answer, in trailers or, for an answer without a body, in headers.
pub const STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// The text that goes with the status, percent-encoded.
pub const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// How long the caller of a request will wait.
pub const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// How long the server wants a client to wait before it tries again (gRFC A6).
pub const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
/// How many attempts of this call came before this one (gRFC A6).
pub const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

/// Says that a request is made to serve a further attempt of another call: what is called to serve it
/// is called once. gRPC has no name for it.
pub const CHAIN_STOP: HeaderName = HeaderName::from_static("ziggurat-chain-stop");

/// A [pushback](PUSHBACK) that says never.
pub const NEVER: HeaderValue = HeaderValue::from_static("-1");

/// What a server said about trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "gRFC A6 knows these two")]
pub enum Pushback {
    /// Try again after exactly this long.
    After(Duration),
    /// Do not try again; also what a value that makes no sense means.
    Never,
}

/// A `grpc-timeout` that the specification does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidTimeout(String);

/// The timeout that many calls of this thread begin with.
struct Usual {
    timeout: Duration,
    text: Option<HeaderValue>,
    /// What was written last and is not usual. Again, it is; two, as a call may write twice.
    others: [Duration; 2],
}

thread_local! {
    static USUAL: RefCell<Usual> = const {
        RefCell::new(Usual {
            timeout: Duration::ZERO,
            text: None,
            others: [Duration::ZERO; 2],
        })
    };
}

// What is compared by reference is neither built nor dropped each time.
static STATUS_NAME: HeaderName = STATUS;
static TIMEOUT_NAME: HeaderName = TIMEOUT;

const MAX_DIGITS: usize = 8;

/// The methods of `grpc.health.v1` (grpc/grpc, `src/proto/grpc/health/v1/health.proto`).
const HEALTH: &str = "/grpc.health.v1.Health/";
const CHECKS: [&str; 3] = ["Check", "Watch", "List"];

/// Is this the path of a gRPC health check? Exactly: what only begins like one may lead anywhere.
#[must_use]
pub fn is_health_check(path: &str) -> bool {
    path.strip_prefix(HEALTH)
        .is_some_and(|method| CHECKS.contains(&method))
}

/// Reads the status of an answer from its headers or trailers.
///
/// `None`: there is none. A value that is no status code counts as [`Code::Unknown`].
#[must_use]
pub fn status(headers: &HeaderMap) -> Option<Code> {
    find(headers, &STATUS_NAME).map(code)
}

/// The body that the head of an answer announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follows {
    /// Messages, and trailers with a status.
    Grpc,
    /// Messages, the last of which has the status in it: gRPC-Web.
    Web,
    /// Whatever does not speak gRPC.
    Other,
}

/// The status in the head of an answer, and what follows.
pub(crate) fn head(headers: &HeaderMap) -> (Option<Code>, Follows) {
    let (mut status, mut content_type) = (None, None);
    if headers.len() > FEW {
        (status, content_type) = (headers.get(&STATUS_NAME), headers.get(CONTENT_TYPE));
    } else {
        for (name, value) in headers {
            if *name == CONTENT_TYPE {
                content_type = content_type.or(Some(value));
            } else if *name == STATUS_NAME {
                status = status.or(Some(value));
            }
        }
    }
    let dialect = content_type.and_then(|value| Dialect::of(value.as_bytes()));
    let follows = match dialect {
        Some(Dialect::Grpc) => Follows::Grpc,
        Some(Dialect::Web | Dialect::WebText) => Follows::Web,
        None => Follows::Other,
    };
    (status.map(code), follows)
}

/// How long the caller of a request will wait, if its header says so and makes sense: of two, the
/// smaller.
pub(crate) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    least(headers, &TIMEOUT_NAME, |value| decode_timeout(value).ok())
}

fn code(value: &HeaderValue) -> Code {
    Code::from_header(value.as_bytes()).unwrap_or(Code::Unknown)
}

/// Reads how long the server wants a client to stay away.
///
/// As gRFC A6 has it: one decimal number of milliseconds in 32 bits; what is negative, repeated or
/// no number says never. Zeros in front, which whoever writes one leaves out, make it no less of a
/// number: to grpc-go, grpc-java and grpc-core neither.
#[must_use]
pub fn pushback(headers: &HeaderMap) -> Option<Pushback> {
    // Hardly ever there.
    find(headers, &PUSHBACK)?;
    let mut values = headers.get_all(PUSHBACK).iter();
    let value = values.next()?;
    let digits = value.as_bytes();
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let millis = value
        .to_str()
        .ok()
        .filter(|_| plain)
        .and_then(|text| text.parse::<i32>().ok());
    Some(match (millis, values.next()) {
        (Some(millis), None) => {
            Pushback::After(Duration::from_millis(millis.unsigned_abs().into()))
        }
        _ => Pushback::Never,
    })
}

/// Writes a pushback: whole milliseconds, rounded up, at most what 32 bits hold.
#[must_use]
pub fn encode_pushback(retry_after: Duration) -> HeaderValue {
    HeaderValue::from(pushback_millis(retry_after))
}

pub(crate) fn pushback_millis(retry_after: Duration) -> i32 {
    let millis = retry_after.as_nanos().div_ceil(1_000_000);
    i32::try_from(millis).unwrap_or(i32::MAX)
}

/// Reads a `grpc-timeout`: one to eight digits and a unit.
///
/// # Errors
///
/// If the value is anything else.
pub fn decode_timeout(value: &HeaderValue) -> Result<Duration, InvalidTimeout> {
    let invalid = || InvalidTimeout(String::from_utf8_lossy(value.as_bytes()).into_owned());
    read_timeout(value.as_bytes()).ok_or_else(invalid)
}

fn read_timeout(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if !(1..=MAX_DIGITS).contains(&digits.len()) {
        return None;
    }
    let mut count = 0_u64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        count = count * 10 + u64::from(digit);
    }
    // By the unit, as hours in nanoseconds take 128 bits, which are slowly divided.
    Some(match unit {
        b'n' => Duration::from_nanos(count),
        b'u' => Duration::from_micros(count),
        b'm' => Duration::from_millis(count),
        b'S' => Duration::from_secs(count),
        b'M' => Duration::from_secs(count * 60),
        b'H' => Duration::from_secs(count * 3_600),
        _ => return None,
    })
}

/// Writes a `grpc-timeout` in the finest unit that has room, rounded up; `0n` only for zero.
///
/// Calls that begin with one and the same timeout share one text.
#[must_use]
pub fn encode_timeout(timeout: Duration) -> HeaderValue {
    let shared = USUAL.try_with(|usual| Some(usual.try_borrow_mut().ok()?.text(timeout)));
    shared.ok().flatten().unwrap_or_else(|| write(timeout))
}

fn write(timeout: Duration) -> HeaderValue {
    const MOST: u64 = 99_999_999;
    // 584 years fit; and 128 bits are divided five times as slowly.
    let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    // One division, and by a constant: a call under way is told anew what is left of its time.
    let (count, unit) = match nanos {
        0..=MOST => (nanos, b'n'),
        100_000_000..=99_999_999_000 => (nanos.div_ceil(1_000), b'u'),
        99_999_999_001..=99_999_999_000_000 => (nanos.div_ceil(1_000_000), b'm'),
        99_999_999_000_001..=99_999_999_000_000_000 => (nanos.div_ceil(1_000_000_000), b'S'),
        99_999_999_000_000_001..=5_999_999_940_000_000_000 => {
            (nanos.div_ceil(60_000_000_000), b'M')
        }
        _ => {
            let begun = u64::from(timeout.subsec_nanos() > 0);
            let hours = timeout.as_secs().saturating_add(begun).div_ceil(3_600);
            (hours.min(MOST), b'H')
        }
    };
    write_timeout(count as u32, unit)
}

fn write_timeout(mut count: u32, unit: u8) -> HeaderValue {
    let mut text = [0_u8; MAX_DIGITS + 1];
    let mut start = MAX_DIGITS;
    text[start] = unit;
    loop {
        start -= 1;
        text[start] = b'0' + (count % 10) as u8;
        count /= 10;
        if count == 0 {
            break;
        }
    }
    HeaderValue::from_bytes(&text[start..]).unwrap_or(HeaderValue::from_static("0n"))
}

// === impl Usual ===

impl Usual {
    fn text(&mut self, timeout: Duration) -> HeaderValue {
        if self.timeout != timeout {
            if !self.others.contains(&timeout) {
                // What is left of a call that is under way is seldom left of another.
                self.others = [timeout, self.others[0]];
                return write(timeout);
            }
            self.timeout = timeout;
            self.text = None;
        }
        self.text.get_or_insert_with(|| write(timeout)).clone()
    }
}

// === impl InvalidTimeout ===

impl fmt::Display for InvalidTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid grpc-timeout {:?}", self.0)
    }
}

impl Error for InvalidTimeout {}

#[cfg(test)]
mod tests;
