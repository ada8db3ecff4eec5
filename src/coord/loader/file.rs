//! Files as sources.

use super::{ConfigSource, SourceFuture};
use serde_json::{Map, Number, Value};
use std::{fs, io, path::PathBuf};
use ziggurat_core::BoxError;

/// A file of settings.
#[derive(Clone, Debug)]
pub struct FileSource {
    path: PathBuf,
    name: String,
    format: Format,
    optional: bool,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Toml,
    Json,
}

// === impl FileSource ===

impl FileSource {
    /// A TOML file. Its dates are text.
    ///
    /// # Defaults
    ///
    /// It must be there.
    #[must_use]
    pub fn toml(path: impl Into<PathBuf>) -> Self {
        Self::new(path.into(), Format::Toml)
    }

    /// A JSON file.
    ///
    /// # Defaults
    ///
    /// It must be there.
    #[must_use]
    pub fn json(path: impl Into<PathBuf>) -> Self {
        Self::new(path.into(), Format::Json)
    }

    /// Says nothing if there is no such file. One that cannot be read stays an error.
    #[must_use]
    pub fn optional(self) -> Self {
        let optional = true;
        Self { optional, ..self }
    }

    fn new(path: PathBuf, format: Format) -> Self {
        Self {
            name: path.display().to_string(),
            path,
            format,
            optional: false,
        }
    }

    // On the thread that asks: it is one small file, and it is read when a process starts.
    fn read(&self) -> Result<Value, BoxError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if self.optional && error.kind() == io::ErrorKind::NotFound => {
                return Ok(Value::Null);
            }
            Err(error) => return Err(error.into()),
        };
        match self.format {
            Format::Toml => json(toml::Value::Table(toml::from_str(&text)?)),
            Format::Json => Ok(serde_json::from_str(&text)?),
        }
    }
}

impl ConfigSource for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn load(&self) -> SourceFuture<'_> {
        Box::pin(async move { self.read() })
    }
}

/// What TOML says, as JSON.
fn json(value: toml::Value) -> Result<Value, BoxError> {
    Ok(match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Boolean(boolean) => boolean.into(),
        toml::Value::Datetime(date) => Value::String(date.to_string()),
        toml::Value::Float(number) => {
            let number = Number::from_f64(number).ok_or_else(|| format!("{number} is no number"));
            Value::Number(number?)
        }
        toml::Value::Array(list) => {
            let list: Result<_, _> = list.into_iter().map(json).collect();
            Value::Array(list?)
        }
        toml::Value::Table(table) => {
            let entries = table.into_iter().map(|(key, value)| {
                let value = json(value).map_err(|error| format!("{key}: {error}"))?;
                Ok((key, value))
            });
            let object: Result<Map<_, _>, BoxError> = entries.collect();
            Value::Object(object?)
        }
    })
}
