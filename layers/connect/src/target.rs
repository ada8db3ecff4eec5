//! What every request to an endpoint is given on its way out.

use crate::{
    error::{InvalidAuthority, TooLate},
    head,
    lexicon::Lexicon,
};
use http::{
    HeaderValue, Request, Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use ziggurat_core::{CallOptions, Deadline, clock, grpc};

/// How requests to one endpoint are addressed.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    scheme: Scheme,
    authority: Authority,
    user_agent: HeaderValue,
}

// === impl Target ===

impl Target {
    /// Requests are for `service`, unless `authority` says otherwise.
    pub(crate) fn new(
        service: &str,
        scheme: Scheme,
        authority: Option<&Authority>,
        user_agent: &HeaderValue,
    ) -> Result<Self, InvalidAuthority> {
        let authority = match authority {
            Some(authority) => without_user(authority.clone()),
            None => named(service).ok_or_else(|| InvalidAuthority::new(service))?,
        };
        Ok(Self {
            scheme,
            authority,
            user_agent: user_agent.clone(),
        })
    }

    /// Completes what HTTP/2 wants of a request. What the caller chose stays.
    pub(crate) fn address<B>(&self, request: &mut Request<B>) {
        let uri = std::mem::take(request.uri_mut());
        *request.uri_mut() = self.complete(uri);
        head::fit(request.headers_mut(), &self.user_agent);
    }

    fn complete(&self, uri: Uri) -> Uri {
        let mut parts = uri.into_parts();
        parts.scheme = Some(self.scheme.clone());
        let authority = parts.authority.map(without_user);
        parts.authority = authority.or_else(|| Some(self.authority.clone()));
        parts
            .path_and_query
            .get_or_insert_with(|| PathAndQuery::from_static("/"));
        // Nothing but a missing part is refused, and none is missing.
        Uri::from_parts(parts).unwrap_or_default()
    }
}

/// RFC 9113, 8.3.1: nobody logs in by `:authority`.
fn without_user(authority: Authority) -> Authority {
    match authority.as_str().rsplit_once('@') {
        // What is left of an authority is one.
        Some((_, host)) => host.parse().unwrap_or(authority),
        None => authority,
    }
}

fn named(service: &str) -> Option<Authority> {
    let authority = service.parse::<Authority>().ok()?;
    (!service.contains('@')).then_some(authority)
}

/// When the call must be over, as far as its request tells.
pub(crate) fn deadline<B>(request: &Request<B>) -> Option<Deadline> {
    let extensions = request.extensions();
    let wanted = extensions
        .get::<CallOptions>()
        .and_then(|options| options.deadline);
    Deadline::earlier(extensions.get().copied(), wanted)
}

/// Tells a gRPC server how long the caller will still wait, in the words of its connection.
pub(crate) fn stamp<B>(
    request: &mut Request<B>,
    deadline: Deadline,
    lexicon: &Lexicon,
) -> Result<(), TooLate> {
    let left = deadline.remaining(clock::now());
    if left.is_zero() {
        return Err(TooLate::new("deadline exceeded before the call was sent"));
    }
    if grpc::dialect(request.headers()).is_some() {
        lexicon.tell(request.headers_mut(), left);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{CONTENT_TYPE, USER_AGENT};
    use std::time::Duration;

    const AGENT: HeaderValue = HeaderValue::from_static("test");

    fn addressed(uri: &'static str, authority: Option<&Authority>) -> Request<()> {
        let target = Target::new("echo", Scheme::HTTP, authority, &AGENT).unwrap();
        let mut request = Request::new(());
        *request.uri_mut() = Uri::from_static(uri);
        target.address(&mut request);
        request
    }

    #[test]
    fn a_request_is_for_its_service_unless_somebody_says_otherwise() {
        let other = Authority::from_static("other:80");
        for (uri, authority, whole) in [
            ("/a/b?c", None, "http://echo/a/b?c"),
            ("/a", Some(&other), "http://other:80/a"),
            ("http://chosen/a", Some(&other), "http://chosen/a"),
            ("https://chosen", None, "http://chosen/"),
            ("http://me:secret@chosen:1/a", None, "http://chosen:1/a"),
        ] {
            assert_eq!(addressed(uri, authority).uri(), whole);
        }
        for service in ["a/b", "a@b", ""] {
            let error = Target::new(service, Scheme::HTTP, None, &AGENT).unwrap_err();
            assert_eq!(error.service(), service);
        }
    }

    #[test]
    fn the_callers_own_user_agent_stays() {
        assert_eq!(addressed("/", None).headers()[USER_AGENT], "test");
        let target = Target::new("echo", Scheme::HTTPS, None, &AGENT).unwrap();
        let mut request = Request::new(());
        let own = HeaderValue::from_static("own");
        request.headers_mut().insert(USER_AGENT, own);
        target.address(&mut request);
        assert_eq!(request.headers()[USER_AGENT], "own");
        assert_eq!(request.uri(), "https://echo/");
    }

    #[test]
    fn what_is_another_in_every_call_is_never_indexed() {
        let target = Target::new("echo", Scheme::HTTP, None, &AGENT).unwrap();
        let mut request = Request::new(());
        for name in ["traceparent", "x-trace-id", "other"] {
            let value = HeaderValue::from_static("1");
            request.headers_mut().insert(name, value);
        }
        target.address(&mut request);
        let indexed: Vec<_> = request
            .headers()
            .iter()
            .filter(|(_, value)| !value.is_sensitive())
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(indexed, ["other", "user-agent"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_grpc_server_is_told_what_is_left() {
        let lexicon = Lexicon::new();
        let deadline = Deadline::after(Duration::from_millis(200));
        let mut request = Request::new(());
        tokio::time::advance(Duration::from_millis(80)).await;
        stamp(&mut request, deadline, &lexicon).unwrap();
        assert!(request.headers().is_empty());
        let grpc = HeaderValue::from_static("Application/gRPC+proto");
        request.headers_mut().insert(CONTENT_TYPE, grpc);
        stamp(&mut request, deadline, &lexicon).unwrap();
        assert_eq!(request.headers()[grpc::TIMEOUT], "120000u");
        assert!(request.headers()[grpc::TIMEOUT].is_sensitive());
        tokio::time::advance(Duration::from_millis(120)).await;
        stamp(&mut request, deadline, &lexicon).unwrap_err();
    }
}
