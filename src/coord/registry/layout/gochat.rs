//! The values of gochat's Go services.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, num::NonZeroU32};
use ziggurat_core::{BoxError, Instance};

#[derive(Serialize, Deserialize)]
struct ServiceInfo {
    #[serde(default)]
    id: String,
    #[serde(default)]
    name: String,
    address: String,
    port: u16,
    // Go writes null for a map that it did not make.
    #[serde(default, skip_serializing_if = "is_nothing")]
    metadata: Option<BTreeMap<String, String>>,
}

const WEIGHT: &str = "ziggurat.weight";
const ZONE: &str = "ziggurat.zone";

pub(super) fn write(instance: &Instance) -> serde_json::Result<Vec<u8>> {
    let mut metadata = instance.metadata().clone();
    if instance.weight() > NonZeroU32::MIN {
        metadata.insert(WEIGHT.to_owned(), instance.weight().to_string());
    }
    if let Some(zone) = instance.zone() {
        metadata.insert(ZONE.to_owned(), zone.to_owned());
    }
    serde_json::to_vec(&ServiceInfo {
        id: instance.id().to_string(),
        name: instance.service().to_owned(),
        address: instance.address().to_owned(),
        port: instance.port(),
        metadata: Some(metadata),
    })
}

pub(super) fn read(service: &str, id: &str, value: &[u8]) -> Result<Instance, BoxError> {
    let info: ServiceInfo = serde_json::from_slice(value)?;
    let mut instance = Instance::new(service, id, &info.address, info.port)?;
    for (name, value) in info.metadata.unwrap_or_default() {
        instance = match &*name {
            WEIGHT => match value.parse() {
                Ok(weight) => instance.with_weight(weight),
                Err(_) => instance,
            },
            ZONE => instance.clone().with_zone(&value).unwrap_or(instance),
            _ => instance.with_metadata(name, value),
        };
    }
    Ok(instance)
}

fn is_nothing(metadata: &Option<BTreeMap<String, String>>) -> bool {
    metadata.as_ref().is_none_or(BTreeMap::is_empty)
}
