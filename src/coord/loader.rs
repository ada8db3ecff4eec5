//! Settings of a process, laid over one another from several sources.

mod center;
mod env;
mod error;
mod file;
mod layers;
mod values;

pub use self::{
    center::CenterSource, env::EnvSource, error::LoadError, file::FileSource, values::ValueSource,
};

use self::layers::Layers;
use super::config::{ConfigCenter, ConfigValue, finish};
use futures_core::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;
use std::{fmt, marker::PhantomData, path::PathBuf};
use ziggurat_core::BoxError;

/// Reads a `T` from several sources; what a later one says outranks the earlier ones.
///
/// Objects are merged key by key, at any depth; everything else, lists too, is replaced as a whole.
/// Then the `T` is made, gets its [defaults](ConfigValue::set_defaults), and is
/// [validated](ConfigValue::validate).
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use std::time::Duration;
/// use ziggurat::coord::{ConfigCenter, ConfigLoader, ConfigValue, EnvSource, duration};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Settings {
///     name: String,
///     server: Server,
/// }
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Server {
///     port: u16,
///     #[serde(with = "duration")]
///     timeout: Duration,
/// }
///
/// impl ConfigValue for Settings {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let center = ConfigCenter::memory();
/// center.set("dev/im-logic", &serde_json::json!({"server": {"timeout": "1m"}})).await?;
///
/// let defaults = Settings {
///     name: "im-logic".to_owned(),
///     server: Server { port: 8080, timeout: Duration::from_secs(5) },
/// };
/// let settings: Settings = ConfigLoader::new()
///     .defaults(&defaults)
///     .source(EnvSource::prefixed("IM_LOGIC_").vars([("IM_LOGIC_SERVER__PORT", "9090")]))
///     .center(&center, "dev/im-logic")
///     .load()
///     .await?;
/// assert_eq!((settings.server.port, settings.server.timeout), (9090, Duration::from_secs(60)));
/// assert_eq!(settings.name, "im-logic");
/// # Ok(())
/// # }
/// ```
///
/// # Defaults
///
/// No sources.
#[must_use = "nothing is read before it loads"]
pub struct ConfigLoader<T> {
    sources: Vec<Box<dyn ConfigSource>>,
    makes: PhantomData<fn() -> T>,
}

/// What a [`ConfigSource`] answers, some time later.
pub type SourceFuture<'a> = BoxFuture<'a, Result<Value, BoxError>>;

/// Where settings come from.
pub trait ConfigSource: Send + Sync + 'static {
    /// What errors call it.
    fn name(&self) -> &str;

    /// Reads it: an object, or null if it has nothing to say.
    fn load(&self) -> SourceFuture<'_>;

    /// Whether its strings are text that stands for something else where the `T` wants that: a
    /// number, a boolean, a list. So it is with the environment.
    fn is_text(&self) -> bool {
        false
    }
}

// === impl ConfigLoader ===

impl<T> Default for ConfigLoader<T> {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            makes: PhantomData,
        }
    }
}

impl<T: ConfigValue> ConfigLoader<T> {
    /// Reads nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lays `source` over those before.
    pub fn source(mut self, source: impl ConfigSource) -> Self {
        self.sources.push(Box::new(source));
        self
    }

    /// Lays what these values serialize to over the sources before: usually it is the first.
    pub fn defaults(self, values: &impl Serialize) -> Self {
        self.source(ValueSource::new("defaults", values))
    }

    /// Lays a TOML file over the sources before. It must be there; see [`FileSource::optional`].
    pub fn toml(self, path: impl Into<PathBuf>) -> Self {
        self.source(FileSource::toml(path))
    }

    /// Lays a JSON file over the sources before. It must be there; see [`FileSource::optional`].
    pub fn json(self, path: impl Into<PathBuf>) -> Self {
        self.source(FileSource::json(path))
    }

    /// Lays the variables of the environment that begin with `prefix` over the sources before; see
    /// [`EnvSource`].
    pub fn env(self, prefix: &str) -> Self {
        self.source(EnvSource::prefixed(prefix))
    }

    /// Lays a setting of the config center over the sources before. It must be there; see
    /// [`CenterSource::optional`].
    pub fn center(self, center: &ConfigCenter, key: &str) -> Self {
        self.source(CenterSource::new(center.clone(), key))
    }

    /// Reads all sources, one after the other, and makes the `T`.
    ///
    /// # Errors
    ///
    /// [`LoadError::Source`] for the first source that cannot be read, and then no other is tried;
    /// [`LoadError::Value`] if a value, or the lack of one, makes no `T`; [`LoadError::Invalid`] if
    /// the `T` does not validate.
    pub async fn load(&self) -> Result<T, LoadError> {
        let mut layers = Layers::default();
        for source in &self.sources {
            let failed = |error| LoadError::source(source.name(), error);
            let value = source.load().await.map_err(failed)?;
            layers.push(source.name(), source.is_text(), value)?;
        }
        finish(layers.read()?).map_err(|source| LoadError::Invalid { source })
    }
}

impl<T> fmt::Debug for ConfigLoader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.sources.iter().map(|source| source.name());
        f.debug_list().entries(names).finish()
    }
}
