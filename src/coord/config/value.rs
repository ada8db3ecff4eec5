//! What a setting looks like in the store.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use ziggurat_core::BoxError;

/// A type that a setting can have.
///
/// What is stored depends on the type alone, never on the value, so that whatever is written is
/// read back as it was:
///
/// | type | in the store |
/// |---|---|
/// | `String` (and `str`) | its UTF-8, as it is: no quotes, even if it looks like JSON |
/// | `Vec<u8>` (and `[u8]`) | its bytes, as they are |
/// | numbers, `bool`, your own, [`Json`] of anything | JSON |
///
/// Go peers of the same store write the same bytes. They read a string as JSON first, so a JSON
/// string that one of them wrote (`"dark"`, with quotes) is to be read as `Json<String>` here.
///
/// Whenever a value is read, from the store or by a [`ConfigLoader`](crate::coord::ConfigLoader),
/// it gets its defaults first and is validated second; one that does not validate never comes into
/// force.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use std::time::Duration;
/// use ziggurat::coord::{ConfigValue, duration};
/// use ziggurat_core::{BoxError, InvalidSetting};
///
/// #[derive(Serialize, Deserialize)]
/// #[serde(rename_all = "camelCase")]
/// struct BreakerPolicy {
///     failure_threshold: u32,
///     success_threshold: Option<u32>,
///     #[serde(with = "duration")]
///     open_state_timeout: Duration,
/// }
///
/// impl ConfigValue for BreakerPolicy {
///     fn set_defaults(&mut self) {
///         self.success_threshold.get_or_insert(2);
///     }
///
///     fn validate(&self) -> Result<(), BoxError> {
///         if self.failure_threshold == 0 {
///             let rule = "must be above zero";
///             return Err(InvalidSetting::new("breaker policy", "failureThreshold", 0, rule).into());
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait ConfigValue: DeserializeOwned + Send + Sync + 'static {
    /// Fills in what was left unset; nothing unless overridden.
    fn set_defaults(&mut self) {}

    /// Whether it can be put in force; always unless overridden.
    ///
    /// # Errors
    ///
    /// What is wrong with it: [`InvalidSetting`](ziggurat_core::InvalidSetting) says it well.
    fn validate(&self) -> Result<(), BoxError> {
        Ok(())
    }

    /// Makes a value of what is stored; JSON unless overridden.
    ///
    /// # Errors
    ///
    /// If it is none.
    fn decode(stored: &[u8]) -> Result<Self, BoxError> {
        let mut json = serde_json::Deserializer::from_slice(stored);
        let value = serde_path_to_error::deserialize(&mut json)?;
        json.end()?;
        Ok(value)
    }

    /// What is to be stored; JSON unless overridden.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    fn encode(&self) -> Result<Vec<u8>, BoxError>
    where
        Self: Serialize,
    {
        Ok(serde_json::to_vec(self)?)
    }
}

/// Stores any type as JSON, without an `impl` of [`ConfigValue`] for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[expect(clippy::exhaustive_structs, reason = "it is a pair of brackets")]
pub struct Json<T>(pub T);

/// What can be written: every [`ConfigValue`] that serializes, `str` and `[u8]`.
pub trait ToConfig {
    /// Checks it, and answers what is to be stored.
    ///
    /// # Errors
    ///
    /// If it does not validate, or cannot be written.
    fn to_config(&self) -> Result<Vec<u8>, BoxError>;
}

/// The longest value, in bytes; etcd takes 1.5 MiB a request.
const MAX: usize = 1 << 20;

// === impl ConfigValue ===

impl ConfigValue for String {
    fn decode(stored: &[u8]) -> Result<Self, BoxError> {
        Ok(std::str::from_utf8(stored)?.to_owned())
    }

    fn encode(&self) -> Result<Vec<u8>, BoxError> {
        Ok(self.clone().into_bytes())
    }
}

impl ConfigValue for Vec<u8> {
    fn decode(stored: &[u8]) -> Result<Self, BoxError> {
        Ok(stored.to_vec())
    }

    fn encode(&self) -> Result<Vec<u8>, BoxError> {
        Ok(self.clone())
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> ConfigValue for Json<T> {}

macro_rules! json {
    ($($type:ty)*) => { $(impl ConfigValue for $type {})* };
}

json! { bool u8 u16 u32 u64 usize i8 i16 i32 i64 isize f32 f64 serde_json::Value }

// === impl ToConfig ===

impl<T: ConfigValue + Serialize> ToConfig for T {
    fn to_config(&self) -> Result<Vec<u8>, BoxError> {
        self.validate()?;
        self.encode()
    }
}

impl ToConfig for str {
    fn to_config(&self) -> Result<Vec<u8>, BoxError> {
        Ok(self.into())
    }
}

impl ToConfig for [u8] {
    fn to_config(&self) -> Result<Vec<u8>, BoxError> {
        Ok(self.into())
    }
}

/// Makes a value that can be put in force.
pub(super) fn read<T: ConfigValue>(stored: &[u8]) -> Result<T, BoxError> {
    fits(stored)?;
    finish(T::decode(stored)?)
}

/// Fills in what was left unset, and then checks it all.
pub(in crate::coord) fn finish<T: ConfigValue>(mut value: T) -> Result<T, BoxError> {
    value.set_defaults();
    value.validate()?;
    Ok(value)
}

pub(super) fn write<V: ToConfig + ?Sized>(value: &V) -> Result<Vec<u8>, BoxError> {
    let stored = value.to_config()?;
    fits(&stored)?;
    Ok(stored)
}

fn fits(stored: &[u8]) -> Result<(), BoxError> {
    if stored.len() > MAX {
        return Err(format!("{} bytes are too many, at most 1048576 fit", stored.len()).into());
    }
    Ok(())
}
