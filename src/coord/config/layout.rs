//! Where settings stand in the store.

use crate::coord::store::StoreError;

/// How the key of a setting becomes a key of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ConfigLayout {
    /// The prefix, a slash, the key; a key that has the prefix already, as an absolute path, does
    /// not get it twice: `dev/im-repo/db` and `/config/dev/im-repo/db` are both
    /// `/config/dev/im-repo/db`.
    #[default]
    Native,
    /// That of gochat's Go services: the prefix goes in front of every key, even of one that has it,
    /// so `/config/dev/im-repo/db` is `/config/config/dev/im-repo/db`.
    Gochat,
}

/// The part of the store that holds the settings of one center.
#[derive(Clone, Debug)]
pub(super) struct Keyspace {
    pub(super) layout: ConfigLayout,
    /// Does not end with a slash.
    prefix: String,
}

/// The longest key, in bytes.
const MAX: usize = 1024;

// === impl Keyspace ===

impl Default for Keyspace {
    fn default() -> Self {
        Self {
            layout: ConfigLayout::default(),
            prefix: "/config".to_owned(),
        }
    }
}

impl Keyspace {
    /// The same layout under another prefix.
    pub(super) fn under(self, prefix: &str) -> Result<Self, StoreError> {
        let path = prefix.strip_suffix('/').unwrap_or(prefix);
        check("prefix", path.strip_prefix('/').unwrap_or(path))?;
        let prefix = path.to_owned();
        Ok(Self { prefix, ..self })
    }

    /// The key of the store for the setting `key`.
    pub(super) fn key(&self, key: &str) -> Result<String, StoreError> {
        let path = self.relative(key);
        check("key", path)?;
        Ok(format!("{}/{path}", self.prefix))
    }

    /// What all keys of the store under `prefix` begin with.
    pub(super) fn prefix(&self, prefix: &str) -> Result<String, StoreError> {
        let path = self.relative(prefix);
        if path.is_empty() {
            return Ok(format!("{}/", self.prefix));
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        check("prefix", path)?;
        Ok(format!("{}/{path}/", self.prefix))
    }

    /// The setting that a key of the store stands for, if it is one that can be asked for.
    pub(super) fn name(&self, stored: &[u8]) -> Option<String> {
        let stored = std::str::from_utf8(stored).ok()?;
        let path = stored.strip_prefix(&self.prefix)?.strip_prefix('/')?;
        check("key", path).ok()?;
        Some(path.to_owned())
    }

    /// What comes after the prefix.
    fn relative<'a>(&self, key: &'a str) -> &'a str {
        let inside = match self.layout {
            ConfigLayout::Native if self.prefix.starts_with('/') => key.strip_prefix(&self.prefix),
            ConfigLayout::Native | ConfigLayout::Gochat => None,
        };
        let is_path = |rest: &&str| rest.is_empty() || rest.starts_with('/');
        let path = inside.filter(is_path).unwrap_or(key);
        path.strip_prefix('/').unwrap_or(path)
    }
}

/// Whether a path stays where it is put, and means one thing.
fn check(field: &'static str, path: &str) -> Result<(), StoreError> {
    let invalid = |rule| {
        let shown: String = path.chars().take(MAX / 4).collect();
        Err(StoreError::invalid(field, shown.escape_debug(), rule))
    };
    if path.len() > MAX {
        return invalid("must be at most 1024 bytes");
    }
    if path.chars().any(char::is_control) {
        return invalid("must not hold control characters");
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return invalid("must not be empty, `.` or `..`, nor have such a part");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gochat() -> Keyspace {
        Keyspace {
            layout: ConfigLayout::Gochat,
            ..Keyspace::default()
        }
    }

    #[test]
    fn an_absolute_key_is_doubled_for_gochat_alone() {
        let native = Keyspace::default();
        for (key, plain, doubled) in [
            ("common/mq", "/config/common/mq", "/config/common/mq"),
            ("/common/mq", "/config/common/mq", "/config/common/mq"),
            ("/config/dev/a", "/config/dev/a", "/config/config/dev/a"),
            (
                "config/dev/a",
                "/config/config/dev/a",
                "/config/config/dev/a",
            ),
            ("/configs/a", "/config/configs/a", "/config/configs/a"),
        ] {
            assert_eq!(native.key(key).unwrap(), plain);
            assert_eq!(gochat().key(key).unwrap(), doubled);
        }
    }

    #[test]
    fn a_key_is_found_again_under_the_name_that_it_is_listed_by() {
        for keyspace in [Keyspace::default(), gochat()] {
            for stored in ["/config/a", "/config/config/dev/a", "/config/config"] {
                let name = keyspace.name(stored.as_bytes()).unwrap();
                assert_eq!(keyspace.key(&name).unwrap(), stored);
            }
            let foreign = [
                "/config",
                "/config/",
                "/config//a",
                "/configs/a",
                "/config/a/../b",
            ];
            assert!(
                foreign
                    .iter()
                    .all(|key| keyspace.name(key.as_bytes()).is_none())
            );
            assert_eq!(keyspace.name(b"/config/\xff"), None);
        }
    }

    #[test]
    fn a_prefix_ends_at_a_slash() {
        let native = Keyspace::default();
        for prefix in ["", "/", "/config", "/config/"] {
            assert_eq!(native.prefix(prefix).unwrap(), "/config/");
        }
        for prefix in ["ratelimit", "ratelimit/", "/config/ratelimit"] {
            assert_eq!(native.prefix(prefix).unwrap(), "/config/ratelimit/");
        }
        assert_eq!(
            gochat().prefix("/config/dev").unwrap(),
            "/config/config/dev/"
        );
    }

    #[test]
    fn what_would_leave_its_place_is_refused_by_field_and_value() {
        let native = Keyspace::default();
        let long = "x".repeat(MAX + 1);
        for key in [
            "..", "a/../b", "a//b", "a/", "//a", "a/.", "a\0", "a\nb", &long,
        ] {
            let StoreError::InvalidArgument { field, value, .. } = native.key(key).unwrap_err()
            else {
                panic!("another error");
            };
            let unescaped = value.replace("\\0", "\0").replace("\\n", "\n");
            assert_eq!(field, "key");
            assert!(key.contains(&unescaped), "{value}");
        }
        for key in ["", "/", "/config", "/config/"] {
            assert!(native.key(key).is_err());
        }
        for prefix in ["..", "a//", "//"] {
            assert!(native.prefix(prefix).is_err());
        }
        for prefix in ["", "/", "/../x", "a//b"] {
            assert!(native.clone().under(prefix).is_err());
        }
        let moved = native.under("apps/config/").unwrap();
        assert_eq!(moved.key("/a").unwrap(), "apps/config/a");
    }
}
