//! Finding a header among few.

use http::{HeaderMap, HeaderName, HeaderValue};

/// With more names than this, to hash one is quicker than to compare them all.
pub(crate) const FEW: usize = 8;

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

#[cfg(test)]
mod tests {
    use super::*;

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
