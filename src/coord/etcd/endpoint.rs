//! Where a member of the cluster is, checked.

use http::{Uri, uri::Scheme};
use std::fmt;
use ziggurat_core::InvalidSetting;

/// The URL of a member: a scheme, a host and a port, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint(Box<str>);

/// etcd's port for clients.
const PORT: u16 = 2379;

// === impl Endpoint ===

impl Endpoint {
    /// Reads a URL; without a scheme, and without a port, it is given the usual one.
    pub(super) fn parse(text: &str, scheme: &Scheme) -> Result<Self, InvalidSetting> {
        let url = if text.contains("://") {
            text.to_owned()
        } else {
            format!("{scheme}://{text}")
        };
        let uri: Uri = url
            .parse()
            .map_err(|_| invalid(text, "must be a URL such as http://10.0.0.1:2379"))?;
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| invalid(text, "must name a host"))?;
        if uri.authority().is_some_and(|it| it.as_str().contains('@')) {
            return Err(invalid(text, "must not hold a user: see `user`"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(invalid(text, "must end after the port"));
        }
        if uri.scheme() != Some(scheme) {
            let rule = if *scheme == Scheme::HTTPS {
                "must be https, as TLS is set"
            } else {
                "must be http: for https see `EtcdSettings::secure`"
            };
            return Err(invalid(text, rule));
        }
        let port = match uri.authority().map(|it| &it.as_str()[host.len()..]) {
            None | Some("") => PORT,
            Some(_) => uri
                .port_u16()
                .filter(|port| *port != 0)
                .ok_or_else(|| invalid(text, "must have a port from 1 to 65535"))?,
        };
        Ok(Self(format!("{scheme}://{host}:{port}").into()))
    }

    pub(super) fn as_str(&self) -> &str {
        let Self(url) = self;
        url
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Says what is wrong, without the password that somebody may have put there.
fn invalid(text: &str, rule: &'static str) -> InvalidSetting {
    let shown = text.rsplit_once('@').map_or(text, |(_, host)| host);
    InvalidSetting::new("etcd settings", "endpoint", shown, rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_filled_in() {
        let read = |text| Endpoint::parse(text, &Scheme::HTTP).unwrap().to_string();
        assert_eq!(read("localhost"), "http://localhost:2379");
        assert_eq!(read("10.0.0.1:1"), "http://10.0.0.1:1");
        assert_eq!(read("http://[::1]/"), "http://[::1]:2379");
        assert_eq!(read("[::1]:80"), "http://[::1]:80");
        let secure = Endpoint::parse("a:1", &Scheme::HTTPS).unwrap();
        assert_eq!(secure.as_str(), "https://a:1");
    }

    #[test]
    fn what_is_no_endpoint_is_refused_by_name() {
        let refused = |text| {
            let error = Endpoint::parse(text, &Scheme::HTTP).unwrap_err();
            assert_eq!(error.field(), "endpoint");
            error.to_string()
        };
        for text in [
            "",
            "http://",
            "a b",
            "http://a:0",
            "http://a:99999",
            "a:",
            "ftp://a:1",
        ] {
            assert!(refused(text).contains(&format!("{text:?}")), "{text}");
        }
        assert!(refused("https://a:1").contains("secure"));
        assert!(refused("http://a:1/path").contains("end after the port"));
        assert!(refused("http://a:1?x").contains("end after the port"));
        let error = refused("http://root:hunter2@a:1");
        assert!(
            error.contains("a:1") && !error.contains("hunter2"),
            "{error}"
        );
    }
}
