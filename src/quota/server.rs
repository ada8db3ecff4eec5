//! Which Redis it is, and the way to it.

#[cfg(feature = "tls")]
use super::tls::{Handshake, RedisTls};
use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo, RedisResult, aio::MultiplexedConnection,
};
use tokio::task::JoinSet;
use ziggurat_core::InvalidSetting;

/// A Redis, and how to get there.
#[derive(Clone)]
pub(super) struct Server {
    client: Client,
    #[cfg(feature = "tls")]
    handshake: Option<Handshake>,
}

/// A connection, and what keeps it going; it ends with this.
pub(super) struct Way {
    pub(super) connection: MultiplexedConnection,
    /// Of the connection, if redis has not spawned one itself.
    _task: JoinSet<()>,
}

const PLAIN: [&str; 2] = ["redis", "valkey"];
const SECURE: [&str; 2] = ["rediss", "valkeys"];

// === impl Server ===

impl Server {
    /// Over TCP, or a socket of Unix.
    pub(super) fn plain(url: &str) -> Result<Self, InvalidSetting> {
        if after(url, SECURE).is_some() {
            return Err(invalid("is one of TLS: RedisQuota::secure (feature `tls`)"));
        }
        Ok(Self {
            client: client(url)?,
            #[cfg(feature = "tls")]
            handshake: None,
        })
    }

    /// Over TCP and TLS.
    #[cfg(feature = "tls")]
    pub(super) fn secure(url: &str, tls: RedisTls) -> Result<Self, InvalidSetting> {
        let Some(rest) = after(url, SECURE) else {
            return Err(invalid("must begin with rediss://, for it is to be TLS"));
        };
        if url.contains('#') {
            return Err(invalid(
                "must not end with a fragment: TLS is always verified",
            ));
        }
        // The client knows nothing of TLS: what it is given is the stream inside.
        let client = client(&format!("redis{rest}"))?;
        let redis::ConnectionAddr::Tcp(host, _) = client.get_connection_info().addr() else {
            return Err(invalid("must name a host"));
        };
        let handshake = Some(tls.handshake(host)?);
        Ok(Self { client, handshake })
    }

    /// A connection over which Redis has taken the password, and the number of the database.
    pub(super) async fn connect(&self, config: &AsyncConnectionConfig) -> RedisResult<Way> {
        #[cfg(feature = "tls")]
        if let Some(handshake) = &self.handshake {
            let info = self.client.get_connection_info();
            let stream = handshake.connect(info.addr()).await?;
            let redis = info.redis_settings();
            let config = config.clone();
            let (connection, driver) =
                MultiplexedConnection::new_with_config(redis, stream, config).await?;
            let mut task = JoinSet::new();
            // Reads and writes for all who ask over this connection.
            task.spawn(driver);
            return Ok(Way {
                connection,
                _task: task,
            });
        }
        let client = &self.client;
        let connection = client.get_multiplexed_async_connection_with_config(config);
        Ok(Way {
            connection: connection.await?,
            _task: JoinSet::new(),
        })
    }
}

/// What follows one of these schemes.
fn after<'u>(url: &'u str, schemes: [&str; 2]) -> Option<&'u str> {
    let colon = url.find("://")?;
    let (scheme, rest) = url.split_at(colon);
    let known = |known: &str| scheme.eq_ignore_ascii_case(known);
    schemes.into_iter().any(known).then_some(rest)
}

fn client(url: &str) -> Result<Client, InvalidSetting> {
    let unix = url.starts_with("unix:") || url.starts_with("redis+unix:");
    if !unix && after(url, PLAIN).is_none() {
        return Err(invalid("must begin with redis:// or rediss://"));
    }
    let info = url.into_connection_info().map_err(|error| {
        // By what it says of itself; the details of the error may be parts of the address.
        invalid(match error.to_string() {
            said if said.contains("database") => "must end with the number of a database",
            said if said.contains("wildcard") => "must name a host that can be connected to",
            said if said.contains("hostname") => "must name a host",
            said if said.contains("UTF-8") => "must have a user and a password of UTF-8",
            said if said.contains("protocol") => "must have a protocol of 2 or 3, if any",
            _ => "must be an address like redis://user:password@host:6379/0",
        })
    })?;
    if info.redis_settings().db() < 0 {
        return Err(invalid("must end with the number of a database"));
    }
    Client::open(info).map_err(|_| invalid("must be the address of a server"))
}

/// Without the address, as it may hold a password.
fn invalid(rule: &'static str) -> InvalidSetting {
    InvalidSetting::new("redis quota", "url", "(not shown)", rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        let error = Server::plain(url).map(|_| ()).unwrap_err();
        let said = error.to_string();
        assert!(
            !said.contains("hunter2") && error.field() == "url",
            "{said}"
        );
        said
    }

    #[test]
    fn an_address_that_is_none_is_refused_by_what_is_wrong_with_it_and_is_not_shown() {
        for (url, said) in [
            ("hunter2", "begin with redis://"),
            ("", "begin with redis://"),
            ("http://u:hunter2@h", "begin with redis://"),
            ("redis://u:hunter2@", "address like"),
            ("redis://u:hunter2@h:99999", "address like"),
            ("redis://u:hunter2@h/first", "number of a database"),
            ("redis://u:hunter2@h/-1", "number of a database"),
            ("redis://u:hunter2@0.0.0.0", "can be connected to"),
            ("redis://u:hunter2%ff@h", "UTF-8"),
            ("redis://u:hunter2@h/?protocol=hunter2", "protocol"),
            ("rediss://u:hunter2@h", "RedisQuota::secure"),
            ("REDISS://u:hunter2@h", "RedisQuota::secure"),
        ] {
            assert!(refused(url).contains(said), "{url}: {}", refused(url));
        }
    }

    #[test]
    fn user_password_and_database_are_those_of_the_address() {
        let server = Server::plain("redis://ann:s%40crt@h:7000/3").unwrap();
        let info = server.client.get_connection_info();
        let redis = info.redis_settings();
        assert_eq!((redis.username(), redis.db()), (Some("ann"), 3));
        assert_eq!(redis.password(), Some("s@crt"));
        assert_eq!(info.addr().to_string(), "h:7000");
    }

    #[cfg(feature = "tls")]
    #[test]
    fn tls_is_not_given_up_by_an_address() {
        let tls = || RedisTls::from_config(crate::quota::tls::tests::config());
        let refused = |url: &str| {
            let error = Server::secure(url, tls()).map(|_| ()).unwrap_err();
            assert!(!error.to_string().contains("hunter2"));
            error.to_string()
        };
        assert!(refused("redis://u:hunter2@h").contains("rediss://"));
        assert!(refused("rediss://u:hunter2@h/#insecure").contains("verified"));
        assert!(refused("rediss://u:hunter2@h/x").contains("database"));
        assert!(refused("rediss://").contains("name a host"));
        assert!(Server::secure("rediss://u:p@h/2", tls()).is_ok());
    }
}
