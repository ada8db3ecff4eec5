//! What parts requests: each key has a circuit of its own.

use http::Request;
use std::borrow::Cow;

/// Finds the key of a request: whatever fails by itself, and not with the others.
///
/// A function will do: `|request: &Req| Cow::Borrowed(..)`. There should be few keys: every method of
/// a service, or every tenant, but not every user.
pub trait Key<Req> {
    /// The key of this request. Only its first 256 bytes tell it from others.
    fn key<'r>(&self, request: &'r Req) -> Cow<'r, str>;
}

/// The path of an HTTP request, which for gRPC is the method: `/package.Service/Method`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByMethod;

/// What a key may be long.
const LONGEST: usize = 256;

// === impl Key ===

impl<B> Key<Request<B>> for ByMethod {
    fn key<'r>(&self, request: &'r Request<B>) -> Cow<'r, str> {
        request.uri().path().into()
    }
}

impl<Req, F> Key<Req> for F
where
    F: for<'r> Fn(&'r Req) -> Cow<'r, str>,
{
    fn key<'r>(&self, request: &'r Req) -> Cow<'r, str> {
        self(request)
    }
}

/// The part of a key that counts.
pub(crate) fn bounded(key: &str) -> &str {
    let mut end = key.len().min(LONGEST);
    while !key.is_char_boundary(end) {
        end -= 1;
    }
    &key[..end]
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_key_is_cut_between_two_characters() {
        assert_eq!(bounded("short"), "short");
        let long = "é".repeat(200);
        assert_eq!(bounded(&long), "é".repeat(128));
        assert_eq!(bounded(&format!("x{long}")).len(), 255);
    }
}
