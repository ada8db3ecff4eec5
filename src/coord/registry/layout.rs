//! How instances are laid out in the store.

mod gochat;
mod naming;

use crate::coord::{
    name::{check_part, check_path},
    store::StoreError,
};
use bytes::Bytes;
use ziggurat_core::Instance;

/// Which keys and values stand for instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum KeyLayout {
    /// That of etcd's naming, which Go reads by `go.etcd.io/etcd/client/v3/naming/endpoints`: key
    /// `<service>/<id>`, value `{"Op":0,"Addr":"host:port","Metadata":<string or null>}`.
    ///
    /// What else an instance has goes into `Metadata` as one *string* that holds JSON, since an
    /// object there crashes old versions of grpc-go:
    /// `{"id":"a","weight":2,"zone":"eu-1","metadata":{"version":"7"}}`, each field but `id` only
    /// if it is not the default; `null` if they all are. When read, an object is taken as well; the
    /// id comes from the key; any other text becomes metadata under `metadata`.
    ///
    /// An instance that is deregistered says so before its key goes: `"Op":1`, which is `Delete`. Who
    /// reads it lets go of it at once, where one that only vanishes may be held for a while. Go's
    /// readers ignore `Op`.
    #[default]
    Naming,
    /// That of gochat's Go services: key `/services/<name>/<id>`, value
    /// `{"id":..,"name":..,"address":..,"port":..,"metadata":{..}}`, without metadata if there is
    /// none.
    ///
    /// Weight and zone travel as metadata, under `ziggurat.weight` and `ziggurat.zone`. It has no
    /// word for a goodbye: whoever leaves just vanishes.
    Gochat,
}

/// What is found under a key.
#[derive(Debug)]
pub(super) enum Entry {
    Instance(Instance),
    /// The instance said goodbye.
    Left,
    /// It is nobody's entry, for this reason.
    Bad(String),
    /// It belongs to another service, whose name goes on.
    Foreign,
}

/// The longest value that is looked at, in bytes.
const MAX_VALUE: usize = 64 * 1024;

// === impl KeyLayout ===

impl KeyLayout {
    /// What the keys of all instances of `service` begin with.
    pub(super) fn prefix(self, service: &str) -> Result<String, StoreError> {
        check_path("service", service)?;
        Ok(match self {
            Self::Naming => format!("{service}/"),
            Self::Gochat => format!("/services/{service}/"),
        })
    }

    pub(super) fn key(self, instance: &Instance) -> Result<String, StoreError> {
        let mut key = self.prefix(instance.service())?;
        let id = instance.id().as_str();
        check_part("id", id)?;
        key.push_str(id);
        Ok(key)
    }

    pub(super) fn write(self, instance: &Instance) -> Result<Bytes, StoreError> {
        checked(match self {
            Self::Naming => naming::write(instance),
            Self::Gochat => gochat::write(instance),
        })
    }

    /// What it says instead when it leaves, if there is a word for that.
    pub(super) fn write_goodbye(self, instance: &Instance) -> Result<Option<Bytes>, StoreError> {
        match self {
            Self::Naming => checked(naming::write_goodbye(instance)).map(Some),
            Self::Gochat => Ok(None),
        }
    }

    /// The id of the instance of `service`, which has a prefix, that `key` stands for.
    pub(super) fn id<'k>(self, service: &str, key: &'k [u8]) -> Option<&'k str> {
        let key = std::str::from_utf8(key).ok()?;
        let key = match self {
            Self::Naming => key,
            Self::Gochat => key.strip_prefix("/services/")?,
        };
        // Piece by piece: ten thousand of them are read at once, and none needs a text of its own.
        let id = key.strip_prefix(service)?.strip_prefix('/')?;
        (!id.contains('/')).then_some(id)
    }

    pub(super) fn read(self, service: &str, key: &[u8], value: &[u8]) -> Entry {
        let Some(id) = self.id(service, key) else {
            return Entry::Foreign;
        };
        if value.len() > MAX_VALUE {
            return Entry::Bad(format!("{} bytes are too many", value.len()));
        }
        let instance = match self {
            Self::Naming => naming::read(service, id, value),
            Self::Gochat => gochat::read(service, id, value).map(Some),
        };
        match instance {
            Ok(Some(instance)) => Entry::Instance(instance),
            Ok(None) => Entry::Left,
            Err(error) => Entry::Bad(error.to_string()),
        }
    }
}

/// JSON that an entry may hold.
fn checked(json: serde_json::Result<Vec<u8>>) -> Result<Bytes, StoreError> {
    let json = json.map_err(|error| {
        StoreError::invalid("instance", error, "must be something that JSON can hold")
    })?;
    if json.len() > MAX_VALUE {
        let rule = "must be at most 65536 bytes of JSON";
        return Err(StoreError::invalid("instance", json.len(), rule));
    }
    Ok(json.into())
}

#[cfg(test)]
mod tests;
