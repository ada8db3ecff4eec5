//! The values of etcd's naming.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{borrow::Cow, collections::BTreeMap, num::NonZeroU32};
use ziggurat_core::{BoxError, Instance};

/// What stands under a key. Go's readers ignore `Op`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint<'a> {
    #[serde(default)]
    op: Value,
    #[serde(borrow)]
    addr: Cow<'a, str>,
    #[serde(default)]
    metadata: Value,
}

/// What stands in the string `Metadata`.
#[derive(Serialize)]
struct Extra<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<NonZeroU32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, String>,
}

/// etcd's `endpoints.Add` and `endpoints.Delete`.
const ADD: u64 = 0;
const DELETE: u64 = 1;

pub(super) fn write(instance: &Instance) -> serde_json::Result<Vec<u8>> {
    write_op(instance, ADD)
}

/// What is written under the key of an instance that leaves.
pub(super) fn write_goodbye(instance: &Instance) -> serde_json::Result<Vec<u8>> {
    write_op(instance, DELETE)
}

fn write_op(instance: &Instance, op: u64) -> serde_json::Result<Vec<u8>> {
    let extra = Extra {
        id: instance.id().as_str(),
        weight: Some(instance.weight()).filter(|weight| *weight > NonZeroU32::MIN),
        zone: instance.zone(),
        metadata: instance.metadata(),
    };
    let plain = extra.weight.is_none() && extra.zone.is_none() && extra.metadata.is_empty();
    let metadata = if plain {
        Value::Null
    } else {
        Value::String(serde_json::to_string(&extra)?)
    };
    serde_json::to_vec(&Endpoint {
        op: op.into(),
        addr: instance.authority().into(),
        metadata,
    })
}

/// Nothing if it says that it leaves.
pub(super) fn read(service: &str, id: &str, value: &[u8]) -> Result<Option<Instance>, BoxError> {
    let endpoint: Endpoint<'_> = serde_json::from_slice(value)?;
    if endpoint.op.as_u64() == Some(DELETE) {
        return Ok(None);
    }
    let (host, port) = endpoint
        .addr
        .rsplit_once(':')
        .ok_or("address without a port")?;
    if host.contains(':') && !host.starts_with('[') {
        return Err("IPv6 address without brackets".into());
    }
    let instance = Instance::new(service, id, host, port.parse()?)?;
    Ok(Some(match endpoint.metadata {
        Value::Null => instance,
        Value::Object(extra) => with_extra(instance, extra),
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(extra) => with_extra(instance, extra),
            Err(_) if text.is_empty() => instance,
            Err(_) => instance.with_metadata("metadata", text),
        },
        other => instance.with_metadata("metadata", other.to_string()),
    }))
}

/// Takes what it can understand; a peer's own fields become metadata.
fn with_extra(instance: Instance, extra: Map<String, Value>) -> Instance {
    extra
        .into_iter()
        .fold(instance, |instance, (name, value)| match (&*name, value) {
            ("id", _) => instance,
            ("weight", Value::Number(weight)) => {
                let weight = weight
                    .as_u64()
                    .and_then(|weight| u32::try_from(weight).ok());
                match weight.and_then(NonZeroU32::new) {
                    Some(weight) => instance.with_weight(weight),
                    None => instance,
                }
            }
            ("zone", Value::String(zone)) => instance.clone().with_zone(&zone).unwrap_or(instance),
            ("metadata", Value::Object(metadata)) => metadata.into_iter().fold(instance, with_word),
            (_, value) => with_word(instance, (name.clone(), value)),
        })
}

fn with_word(instance: Instance, (name, value): (String, Value)) -> Instance {
    match value {
        Value::Null => instance,
        Value::String(text) => instance.with_metadata(name, text),
        other => instance.with_metadata(name, other.to_string()),
    }
}
