//! The environment as a source.

use super::{ConfigSource, SourceFuture};
use serde_json::{Map, Value};
use std::{env, ffi::OsString};
use ziggurat_core::BoxError;

/// Variables of the environment whose names begin with a prefix.
///
/// What follows the prefix is lower-cased, and `__` parts one level from the next: with the prefix
/// `APP_`, `APP_SERVER__READ_TIMEOUT=1m` is `{"server": {"read_timeout": "1m"}}`. So fields with
/// upper-case letters in their names cannot be set from here.
///
/// A value is text; where the settings want something else, it is read as JSON: `8080`, `true`,
/// `["a", "b"]`, `{"port": 8080}`; that replaces what is there, even an object.
#[derive(Clone, Debug)]
pub struct EnvSource {
    prefix: String,
    name: String,
    vars: Option<Vec<(OsString, OsString)>>,
}

/// More levels than anybody needs; each costs stack.
const MAX_DEPTH: usize = 32;

// === impl EnvSource ===

impl EnvSource {
    /// The variables that begin with `prefix`, which is taken as it is and should end with a `_`.
    #[must_use]
    pub fn prefixed(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            name: format!("environment {prefix}*"),
            vars: None,
        }
    }

    /// Reads these variables instead of those of the process.
    #[must_use]
    pub fn vars<N, V>(mut self, vars: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let vars = vars.into_iter();
        self.vars = Some(vars.map(|(n, v)| (n.into(), v.into())).collect());
        self
    }

    fn read(&self) -> Result<Value, BoxError> {
        if self.prefix.is_empty() {
            return Err("the prefix must not be empty".into());
        }
        let mut vars = match &self.vars {
            Some(vars) => vars.clone(),
            None => env::vars_os().collect(),
        };
        // The same error on every run, whatever the order of the environment.
        vars.sort();
        let mut root = Map::new();
        for (name, value) in vars {
            let Some(name) = name.to_str().filter(|name| name.starts_with(&self.prefix)) else {
                continue;
            };
            let Ok(value) = value.into_string() else {
                return Err(format!("{name} is not UTF-8").into());
            };
            let path = name[self.prefix.len()..].to_lowercase();
            let path: Vec<_> = path.split("__").collect();
            if path.iter().any(|part| part.is_empty()) {
                return Err(format!("{name} has an empty part").into());
            }
            if path.len() > MAX_DEPTH {
                return Err(format!("{name} has more than {MAX_DEPTH} parts").into());
            }
            put(&mut root, &path, value).ok_or_else(|| format!("{name} is set on two levels"))?;
        }
        Ok(Value::Object(root))
    }
}

impl ConfigSource for EnvSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn load(&self) -> SourceFuture<'_> {
        Box::pin(std::future::ready(self.read()))
    }

    fn is_text(&self) -> bool {
        true
    }
}

/// Puts text at a path; nothing if there is something in the way.
fn put(object: &mut Map<String, Value>, path: &[&str], text: String) -> Option<()> {
    let (first, rest) = path.split_first()?;
    if rest.is_empty() {
        let before = object.insert((*first).to_owned(), Value::String(text));
        return before.is_none().then_some(());
    }
    let empty = || Value::Object(Map::new());
    let inner = object.entry(*first).or_insert_with(empty);
    put(inner.as_object_mut()?, rest, text)
}
