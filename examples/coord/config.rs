//! A setting that changes under those who use it.

use crate::{BoxError, Stage, check};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::Instant;
use ziggurat::{
    coord::{ConfigCenter, ConfigError, ConfigHandle, ConfigValue},
    core::InvalidSetting,
};

/// What a service might be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Quota {
    calls: u32,
    burst: u32,
}

impl ConfigValue for Quota {
    fn validate(&self) -> Result<(), BoxError> {
        if self.burst > self.calls {
            let rule = "must be at most `calls`";
            return Err(InvalidSetting::new("quota", "burst", self.burst, rule).into());
        }
        Ok(())
    }
}

/// One writes, the other has the last good value in force.
pub(crate) async fn run(stage: &Stage) -> Result<Value, BoxError> {
    let writer = ConfigCenter::new(Arc::clone(&stage.one));
    let reader = ConfigCenter::new(Arc::clone(&stage.two));
    let key = format!("{}/quota", stage.name);
    let quota = |calls| Quota { calls, burst: 10 };

    let first = writer.set(&key, &quota(100)).await?;
    let entry = reader.get::<Quota>(&key).await?;
    let entry = entry.map(|entry| (entry.value, entry.revision));
    check::same("what was written", entry, Some((quota(100), first)))?;

    let mut handle = reader.handle::<Quota>(&key).await?;
    check::same("the handle at first", &*handle.load(), &quota(100))?;
    let begun = Instant::now();
    let second = writer.compare_and_set(&key, first, &quota(200)).await?;
    changes(&mut handle, &quota(200)).await?;
    let seen = begun.elapsed().as_micros();
    check::same("the revision in force", handle.revision(), second)?;

    let late = writer.compare_and_set(&key, first, &quota(300)).await;
    let conflict = ConfigError::Conflict {
        key: key.clone(),
        expected: first,
        current: second,
    };
    check::same("a change by who knows an old revision", late, Err(conflict))?;

    // By somebody who does not know the rules.
    writer.set(&key, r#"{"calls": 1, "burst": 10}"#).await?;
    let refused = || async { Ok(handle.errors() == 1) };
    check::becomes("the refusal of a bad value", refused).await?;
    check::same("the last good value", &*handle.load(), &quota(200))?;
    let why = handle.last_error();
    let named =
        matches!(&why, Some(ConfigError::Invalid { reason, .. }) if reason.contains("burst"));
    check::so("the error names the field", named, why)?;

    writer.set(&key, &quota(400)).await?;
    changes(&mut handle, &quota(400)).await?;
    let deleted = writer.delete(&key).await?;
    check::same("the setting could be deleted", deleted, true)?;
    Ok(json!({"revisions": [first, second], "seen_us": seen, "refused": handle.errors()}))
}

async fn changes(handle: &mut ConfigHandle<Quota>, to: &Quota) -> Result<(), BoxError> {
    let what = format!("the handle sees {to:?}");
    let seen = check::soon(&what, handle.changed()).await?;
    check::same(&what, seen.as_deref(), Some(to))
}
