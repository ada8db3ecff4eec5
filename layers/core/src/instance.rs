//! One running instance of a service, as a registry knows it.

use self::words::{is_host, is_name};
use crate::InvalidSetting;
use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU32, sync::Arc};

mod id;
mod words;

pub use self::id::EndpointId;

/// One running instance of a service: where it is, and what is known of it.
///
/// Every value is checked: what a registry says is untrusted input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    id: EndpointId,
    service: Arc<str>,
    address: String,
    port: u16,
    metadata: BTreeMap<String, String>,
    weight: NonZeroU32,
    zone: Option<String>,
}

const NAME_RULE: &str = "must be 1 to 255 visible characters";
const HOST_RULE: &str = "must be an IP address or a host name";
const REACHED_RULE: &str = "must be one that others can reach";
const PATH_RULE: &str = "must be an absolute path of at most 107 bytes";
/// What an address starts with that is a path; no host can, so no registry says so by accident.
const UNIX: &str = "unix:";
/// `sun_path` of Linux, less the zero at its end.
const MAX_PATH: usize = 107;

// === impl Instance ===

impl Instance {
    /// The instance `id` of `service`, at `address` (an IP address or a host name) and `port`.
    ///
    /// # Defaults
    ///
    /// Weight 1, no zone, no metadata.
    ///
    /// # Errors
    ///
    /// If a name is empty, longer than 255 bytes or has spaces or control characters in it, if the
    /// address is neither an IP address nor a host name, or if the port is 0.
    pub fn new(service: &str, id: &str, address: &str, port: u16) -> Result<Self, InvalidSetting> {
        check(is_name(service), "service", service, NAME_RULE)?;
        check(is_name(id), "id", id, NAME_RULE)?;
        let bare = address
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let address = bare.unwrap_or(address);
        check(is_host(address), "address", address, HOST_RULE)?;
        check(port != 0, "port", "0", "must be from 1 to 65535")?;
        Ok(Self {
            id: EndpointId::new(id),
            service: service.into(),
            address: address.to_owned(),
            port,
            metadata: BTreeMap::new(),
            weight: NonZeroU32::MIN,
            zone: None,
        })
    }

    /// The instance of `service` at `address`, with the address as its id.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); and if the address is unspecified, as `0.0.0.0` is: a server listens there,
    /// and nobody else finds it there.
    pub fn at(service: &str, address: SocketAddr) -> Result<Self, InvalidSetting> {
        let ip = address.ip();
        let shown = address.to_string();
        check(!ip.is_unspecified(), "address", &shown, REACHED_RULE)?;
        let host = match address {
            SocketAddr::V6(on) if on.scope_id() != 0 => format!("{ip}%{}", on.scope_id()),
            _ => ip.to_string(),
        };
        Self::new(service, &shown, &host, address.port())
    }

    /// The instance `id` of `service` at the Unix socket `path` of this machine. Its
    /// [`address`](Self::address) is `unix:` and the path, its port 0; no registry carries it.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and if the path is not absolute, longer than 107 bytes or has control
    /// characters in it.
    pub fn unix(service: &str, id: &str, path: &str) -> Result<Self, InvalidSetting> {
        let mut instance = Self::new(service, id, "localhost", 1)?;
        let sane = path.len() <= MAX_PATH && !path.contains(char::is_control);
        check(sane && path.starts_with('/'), "path", path, PATH_RULE)?;
        instance.address = format!("{UNIX}{path}");
        instance.port = 0;
        Ok(instance)
    }

    /// Adds a word about the instance, for filters and for people.
    #[must_use]
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Sets its share of the calls, as a ratio to the weights of the others.
    #[must_use]
    pub const fn with_weight(mut self, weight: NonZeroU32) -> Self {
        self.weight = weight;
        self
    }

    /// Sets the zone it runs in.
    ///
    /// # Errors
    ///
    /// If the name is empty, longer than 255 bytes or has spaces or control characters in it.
    pub fn with_zone(mut self, zone: &str) -> Result<Self, InvalidSetting> {
        check(is_name(zone), "zone", zone, NAME_RULE)?;
        self.zone = Some(zone.to_owned());
        Ok(self)
    }

    /// Its name, unique within its service.
    #[must_use]
    pub const fn id(&self) -> &EndpointId {
        &self.id
    }

    /// The service it is an instance of.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Its IP address or host name, an IPv6 address without brackets; or `unix:` and a path.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The path of its Unix socket, if it is at one.
    #[must_use]
    pub fn unix_path(&self) -> Option<&str> {
        self.address.strip_prefix(UNIX)
    }

    /// Its port; 0 at a Unix socket.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What else is known of it.
    #[must_use]
    pub const fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Its share of the calls.
    #[must_use]
    pub const fn weight(&self) -> NonZeroU32 {
        self.weight
    }

    /// The zone it runs in.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// `host:port`, an IPv6 address in brackets; or `unix:` and a path.
    #[must_use]
    pub fn authority(&self) -> String {
        let Self { address, port, .. } = self;
        if self.unix_path().is_some() {
            address.clone()
        } else if address.contains(':') {
            format!("[{address}]:{port}")
        } else {
            format!("{address}:{port}")
        }
    }
}

fn check(
    sane: bool,
    field: &'static str,
    value: &str,
    rule: &'static str,
) -> Result<(), InvalidSetting> {
    if sane {
        return Ok(());
    }
    Err(InvalidSetting::new("instance", field, value, rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_is_written_in_brackets() {
        for address in ["::1", "[::1]"] {
            let instance = Instance::new("echo", "a", address, 80).unwrap();
            assert_eq!(instance.address(), "::1");
            assert_eq!(instance.authority(), "[::1]:80");
        }
        let at = Instance::at("echo", "127.0.0.1:80".parse().unwrap()).unwrap();
        assert_eq!(
            (at.id().as_str(), at.authority().as_str()),
            ("127.0.0.1:80", "127.0.0.1:80")
        );
    }

    #[test]
    fn an_ipv6_address_keeps_its_zone() {
        let at = Instance::at("echo", "[fe80::1%2]:80".parse().unwrap()).unwrap();
        assert_eq!(
            (at.address(), at.id().as_str()),
            ("fe80::1%2", "[fe80::1%2]:80")
        );
        let named = Instance::new("echo", "a", "[fe80::1%eth0]", 80).unwrap();
        assert_eq!(named.authority(), "[fe80::1%eth0]:80");
        for address in [
            "fe80::1%",
            "fe80::1%e/0",
            "10.0.0.1%eth0",
            "host%eth0",
            "::1%0123456789abcdef",
        ] {
            Instance::new("echo", "a", address, 80).unwrap_err();
        }
    }

    #[test]
    fn where_a_server_listens_is_not_always_where_it_is_found() {
        for unspecified in ["0.0.0.0:80", "[::]:80"] {
            let error = Instance::at("echo", unspecified.parse().unwrap()).unwrap_err();
            assert_eq!(error.field(), "address");
            assert!(error.value().contains(unspecified), "{error}");
        }
    }

    #[test]
    fn a_unix_socket_is_an_address_that_no_host_and_port_can_spell() {
        let local = Instance::unix("echo", "a", "/run/echo.sock").unwrap();
        assert_eq!(local.unix_path(), Some("/run/echo.sock"));
        assert_eq!(local.authority(), "unix:/run/echo.sock");
        assert_eq!(local.port(), 0);
        assert!(Instance::new("echo", "a", "unix:/run/echo.sock", 1).is_err());
        for path in ["", "echo.sock", "/a\0b", &format!("/{}", "x".repeat(107))] {
            let error = Instance::unix("echo", "a", path).unwrap_err();
            assert_eq!(error.field(), "path");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_by_field_and_value() {
        let long = "x".repeat(256);
        for (service, id, address, port, field) in [
            ("", "a", "h", 1, "service"),
            ("e", "", "h", 1, "id"),
            ("e", "a b", "h", 1, "id"),
            ("e", "a\n", "h", 1, "id"),
            (long.as_str(), "a", "h", 1, "service"),
            ("e", "a", "", 1, "address"),
            ("e", "a", "http://h", 1, "address"),
            ("e", "a", "h:80", 1, "address"),
            ("e", "a", "h..x", 1, "address"),
            ("e", "a", ":::1", 1, "address"),
            ("e", "a", "h", 0, "port"),
        ] {
            let error = Instance::new(service, id, address, port).unwrap_err();
            assert_eq!(error.field(), field);
            assert!(error.to_string().contains(field));
        }
        assert_eq!(
            Instance::new("e", "a", "h", 1)
                .unwrap()
                .with_zone("")
                .unwrap_err()
                .field(),
            "zone"
        );
    }
}
