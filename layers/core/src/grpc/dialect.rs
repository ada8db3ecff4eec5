//! What a content type says of gRPC.

use crate::headers::find;
use http::{HeaderMap, HeaderName, header::CONTENT_TYPE};

/// A way to speak gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "gRPC has these three")]
pub enum Dialect {
    /// `application/grpc`: the status is in trailers.
    Grpc,
    /// `application/grpc-web`, of browsers: the status is in the body.
    Web,
    /// `application/grpc-web-text`: the same in base64.
    WebText,
}

// What is compared by reference is neither built nor dropped each time.
static TYPE: HeaderName = CONTENT_TYPE;
const GRPC: &[u8] = b"application/grpc";

/// The dialect of gRPC in which the body of these headers is; `None`: it is something else.
///
/// In upper case or lower (RFC 9110, 8.3.1), with or without a message format (`+proto`) and parameters;
/// `application/grpcs` is something else.
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
/// use ziggurat_core::grpc::{Dialect, dialect};
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(dialect(&headers), None);
/// headers.insert(CONTENT_TYPE, HeaderValue::from_static("Application/gRPC+proto"));
/// assert_eq!(dialect(&headers), Some(Dialect::Grpc));
/// ```
#[must_use]
#[inline]
pub fn dialect(headers: &HeaderMap) -> Option<Dialect> {
    Dialect::of(find(headers, &TYPE)?.as_bytes())
}

// === impl Dialect ===

impl Dialect {
    /// Of the value of a content type.
    #[inline]
    pub(crate) fn of(kind: &[u8]) -> Option<Self> {
        // As nearly everybody writes it.
        if kind == GRPC {
            return Some(Self::Grpc);
        }
        Self::by_parts(kind)
    }

    #[inline(never)]
    fn by_parts(kind: &[u8]) -> Option<Self> {
        let rest = strip(kind, GRPC)?;
        let dialects = [
            (&b"-web-text"[..], Self::WebText),
            (b"-web", Self::Web),
            (b"", Self::Grpc),
        ];
        dialects.into_iter().find_map(|(name, dialect)| {
            // A message format or a parameter may follow.
            let rest = strip(rest, name)?;
            matches!(rest, [] | [b'+' | b';' | b' ' | b'\t', ..]).then_some(dialect)
        })
    }
}

fn strip<'v>(value: &'v [u8], prefix: &[u8]) -> Option<&'v [u8]> {
    let (head, rest) = value.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_content_type_tells_the_dialect_in_any_case() {
        for (text, expected) in [
            ("application/grpc", Some(Dialect::Grpc)),
            ("application/grpc+proto", Some(Dialect::Grpc)),
            ("Application/gRPC; charset=utf-8", Some(Dialect::Grpc)),
            ("application/grpc ;a=b", Some(Dialect::Grpc)),
            ("application/grpc-web", Some(Dialect::Web)),
            ("APPLICATION/GRPC-WEB+JSON", Some(Dialect::Web)),
            ("application/grpc-web-text+proto", Some(Dialect::WebText)),
            ("application/grpc-Web-Text", Some(Dialect::WebText)),
            ("application/grpcs", None),
            ("application/grpc-webs", None),
            ("application/grpc-web-texts", None),
            ("application/grp", None),
            (" application/grpc", None),
            ("application/json", None),
            ("", None),
        ] {
            let value = HeaderValue::from_static(text);
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, value)]);
            assert_eq!(dialect(&headers), expected, "{text:?}");
        }
        assert_eq!(dialect(&HeaderMap::new()), None);
    }
}
