//! What the peer speaks.

use http::{HeaderMap, HeaderValue, Method, Request};
use ziggurat_core::grpc::{self, Dialect};

/// What a request's content type says that its peer speaks, and whether it wants more than a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    /// A browser's dialect: a status is read from headers, but HTTP has no trailers there.
    GrpcWeb,
    GrpcWebText,
    Http,
    /// HTTP, to which no content may be answered.
    Head,
}

// === impl Protocol ===

impl Protocol {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        match *request.method() {
            Method::HEAD => Self::Head,
            _ => Self::of_content(request.headers()),
        }
    }

    fn of_content(headers: &HeaderMap) -> Self {
        match grpc::dialect(headers) {
            Some(Dialect::Grpc) => Self::Grpc,
            Some(Dialect::Web) => Self::GrpcWeb,
            Some(Dialect::WebText) => Self::GrpcWebText,
            None => Self::Http,
        }
    }

    /// The content type of an answer that is a status and nothing else.
    pub(crate) const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Grpc => "application/grpc",
            Self::GrpcWeb => "application/grpc-web+proto",
            Self::GrpcWebText => "application/grpc-web-text+proto",
            Self::Http | Self::Head => "text/plain; charset=utf-8",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::CONTENT_TYPE;

    #[test]
    fn the_content_type_tells_what_a_peer_speaks() {
        for (text, protocol) in [
            ("application/grpc", Protocol::Grpc),
            ("application/grpc+proto", Protocol::Grpc),
            ("Application/gRPC; charset=utf-8", Protocol::Grpc),
            ("application/grpc-web", Protocol::GrpcWeb),
            ("application/grpc-web+json", Protocol::GrpcWeb),
            ("application/grpc-web-text+proto", Protocol::GrpcWebText),
            ("application/grpcs", Protocol::Http),
            ("application/grpc-webs", Protocol::Http),
            ("application/json", Protocol::Http),
            ("", Protocol::Http),
        ] {
            let value = HeaderValue::from_static(text);
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, value)]);
            assert_eq!(Protocol::of_content(&headers), protocol, "{text:?}");
        }
        assert_eq!(Protocol::of_content(&HeaderMap::new()), Protocol::Http);
    }
}
