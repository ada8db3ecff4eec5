//! Finding a header among few, and what one says of the time.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{DATE, RETRY_AFTER},
};
use std::time::Duration;

/// With more names than this, to hash one is quicker than to compare them all.
pub(crate) const FEW: usize = 8;

// What is compared by reference is neither built nor dropped each time.
static RETRY_AFTER_NAME: HeaderName = RETRY_AFTER;

/// The first value of this name, as [`HeaderMap::get`] finds it.
///
/// Answers, trailers and requests of clients have a handful of headers, and most that are looked for
/// are not among them. A map hashes the name byte by byte to find that out, each byte waiting for the
/// one before; comparing the few names is several times quicker.
///
/// ```
/// use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
/// use ziggurat_core::headers;
///
/// let mut answer = HeaderMap::new();
/// answer.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
/// let kind = headers::find(&answer, &CONTENT_TYPE);
/// assert_eq!(kind.map(HeaderValue::as_bytes), Some(&b"application/grpc"[..]));
/// assert_eq!(headers::find(&answer, &HeaderName::from_static("grpc-status")), None);
/// ```
#[must_use]
#[inline]
pub fn find<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    if headers.keys_len() > FEW {
        return headers.get(name);
    }
    headers
        .iter()
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// The least of what `read` makes of the values of this name; `None` of a value that makes no sense.
///
/// For what is bounded by each of them: a timeout that was said twice.
#[must_use]
#[inline]
pub fn least<T: Ord>(
    headers: &HeaderMap,
    name: &HeaderName,
    read: impl Fn(&HeaderValue) -> Option<T>,
) -> Option<T> {
    // No name has two values: as nearly always.
    if headers.len() == headers.keys_len() {
        return read(find(headers, name)?);
    }
    headers.get_all(name).iter().filter_map(read).min()
}

/// How long whoever answers with these headers wants to be left alone, by `Retry-After` (RFC 9110,
/// 10.2.3): a number of seconds, however large, or a date.
///
/// A date is seen from the `Date` of the same answer, so that two clocks that differ do no harm; without
/// one it says nothing. One that has passed is zero. Nothing is cut off: whoever waits has a limit.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    // Hardly ever there.
    let value = find(headers, &RETRY_AFTER_NAME)?;
    seconds(value.as_bytes()).or_else(|| {
        let at = httpdate::parse_http_date(value.to_str().ok()?).ok()?;
        let date = headers.get(DATE)?.to_str().ok()?;
        let now = httpdate::parse_http_date(date).ok()?;
        Some(at.duration_since(now).unwrap_or_default())
    })
}

fn seconds(digits: &[u8]) -> Option<Duration> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let seconds = digits.iter().fold(0_u64, |seconds, digit| {
        let digit = u64::from(digit.wrapping_sub(b'0'));
        seconds.saturating_mul(10).saturating_add(digit)
    });
    plain.then_some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_stay_away_is_read_as_seconds_or_as_a_date_seen_from_the_answers_own() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (value, date, seconds) in [
            ("0", None, Some(0)),
            ("120", None, Some(120)),
            ("99999999999999999999999", None, Some(u64::MAX)),
            ("", None, None),
            ("-1", None, None),
            ("+1", None, None),
            ("1.5", None, None),
            ("1 ", None, None),
            ("soon", Some(date), None),
            ("Sun, 06 Nov 1994 08:50:07 GMT", None, None),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some("now"), None),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(date), Some(30)),
            // As RFC 850 and C's asctime write it.
            ("Sunday, 06-Nov-94 08:50:07 GMT", Some(date), Some(30)),
            ("Sun Nov  6 08:50:07 1994", Some(date), Some(30)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", Some(date), Some(0)),
            ("Sun, 06 Nov 1994 25:61:07 GMT", Some(date), None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(value));
            if let Some(date) = date {
                headers.insert(DATE, HeaderValue::from_static(date));
            }
            let after = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(&headers), after, "{value:?} at {date:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn among_few_and_among_many_the_first_value_is_found() {
        let name = |n: usize| HeaderName::try_from(format!("x-{n}")).unwrap();
        for count in [0, 1, FEW, FEW + 1, 40] {
            let mut headers = HeaderMap::new();
            for n in 0..count {
                headers.append(name(n), HeaderValue::from(n));
                headers.append(name(n), HeaderValue::from_static("another"));
            }
            for n in 0..count + 1 {
                assert_eq!(
                    find(&headers, &name(n)),
                    headers.get(name(n)),
                    "{n} of {count}"
                );
            }
        }
    }
}
