//! What HTTP/2 wants of the head of a request.

use crate::lexicon::Lexicon;
use http::{
    HeaderMap, HeaderValue, Method, Request,
    header::{CONNECTION, CONTENT_LENGTH, TE, USER_AGENT},
};
use http_body::Body;

/// What the headers of a request have.
#[derive(Default)]
struct Seen {
    /// Something that HTTP/2 does not allow.
    foreign: bool,
    user_agent: bool,
}

/// RFC 9113, 8.2.2: what is about one connection, and of HTTP/1; and 8.3.1: whom `:authority` stands
/// for, which a request that is handed on would contradict.
const FOREIGN: [&str; 6] = [
    "connection",
    "host",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

/// Makes headers fit for HTTP/2; who does not say who asks is `user_agent`.
pub(crate) fn fit(headers: &mut HeaderMap, user_agent: &HeaderValue) {
    let seen = look(headers);
    if seen.foreign {
        strip_found(headers);
    }
    if !seen.user_agent {
        headers.insert(USER_AGENT, user_agent.clone());
    }
}

/// Says how long the body is, if it knows.
pub(crate) fn measure<B: Body>(request: &mut Request<B>) {
    if let Some(length) = request.body().size_hint().exact()
        && (length > 0 || has_content(request.method()))
    {
        let headers = request.headers_mut();
        headers
            .entry(CONTENT_LENGTH)
            .or_insert_with(|| length.into());
    }
}

/// Takes out what is not allowed in HTTP/2.
pub(crate) fn strip(headers: &mut HeaderMap) {
    if look(headers).foreign {
        strip_found(headers);
    }
}

/// One walk over all of them, which is cheaper than to look some up.
fn look(headers: &mut HeaderMap) -> Seen {
    let mut seen = Seen::default();
    for (name, value) in headers.iter_mut() {
        match name.as_str() {
            "user-agent" => seen.user_agent = true,
            "te" => seen.foreign |= !is_known(value),
            name if Lexicon::is_unlike(name) => value.set_sensitive(true),
            name => seen.foreign |= FOREIGN.contains(&name),
        }
    }
    seen
}

#[cold]
fn strip_found(headers: &mut HeaderMap) {
    tracing::debug!("there are headers that HTTP/2 does not know");
    // It names further ones.
    let named: Vec<_> = headers.get_all(CONNECTION).into_iter().cloned().collect();
    for names in named.iter().filter_map(|names| names.to_str().ok()) {
        for name in names.split(',') {
            headers.remove(name.trim());
        }
    }
    for name in FOREIGN {
        headers.remove(name);
    }
    if headers.get_all(TE).into_iter().any(|te| !is_known(te)) {
        headers.remove(TE);
    }
}

/// The one that a server is asked for trailers with.
fn is_known(te: &HeaderValue) -> bool {
    te == "trailers"
}

/// RFC 9110, 9.3: such a method without a body says so.
fn has_content(method: &Method) -> bool {
    let without = [
        Method::GET,
        Method::HEAD,
        Method::DELETE,
        Method::CONNECT,
        Method::TRACE,
    ];
    !without.contains(method)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::HeaderName;
    use http_body_util::Full;

    fn completed(method: Method, body: &'static str, own: Option<&str>) -> Option<String> {
        let mut request = Request::new(Full::<Bytes>::from(body));
        *request.method_mut() = method;
        if let Some(own) = own {
            let own = HeaderValue::from_str(own).unwrap();
            request.headers_mut().insert(CONTENT_LENGTH, own);
        }
        measure(&mut request);
        let length = request.headers().get(CONTENT_LENGTH)?;
        Some(length.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_body_whose_length_is_known_is_announced_unless_there_is_none_and_none_is_expected() {
        for (method, body, own, told) in [
            (Method::POST, "abc", None, Some("3")),
            (Method::POST, "", None, Some("0")),
            (Method::GET, "abc", None, Some("3")),
            (Method::GET, "", None, None),
            (Method::HEAD, "", None, None),
            (Method::DELETE, "", None, None),
            (Method::POST, "abc", Some("4"), Some("4")),
        ] {
            let length = completed(method.clone(), body, own);
            assert_eq!(length.as_deref(), told, "{method} {body:?}");
        }
    }

    #[test]
    fn what_is_about_one_connection_goes_and_all_else_stays() {
        let mut headers = HeaderMap::new();
        let stays = [
            ("te", "trailers"),
            ("user-agent", "me"),
            ("x-trace-id", "1"),
            ("content-length", "0"),
        ];
        let goes = [
            ("connection", "close, x-hop"),
            ("connection", "x-other-hop"),
            ("host", "www.example.com"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("x-hop", "1"),
            ("x-other-hop", "1"),
        ];
        for (name, value) in stays.into_iter().chain(goes) {
            headers.append(name, value.parse().unwrap());
        }
        fit(&mut headers, &HeaderValue::from_static("us"));
        let left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, stays.map(|(name, _)| name));
    }

    #[test]
    fn of_te_only_trailers_is_known() {
        for (values, stays) in [
            (&["trailers"][..], true),
            (&["gzip"], false),
            (&["trailers, deflate"], false),
            (&["trailers", "gzip"], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TE, value.parse().unwrap());
            }
            strip(&mut headers);
            assert_eq!(headers.contains_key(TE), stays, "{values:?}");
        }
    }
}
