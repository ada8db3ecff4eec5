//! Unique ids, made without asking anybody.

use crate::{BoxError, Stage, check};
use serde_json::{Value, json};
use std::{collections::HashSet, sync::Arc};
use tokio::time::Instant;
use ziggurat::coord::{InstanceIds, Range, Snowflake, SnowflakeError};

/// Two make ids at once; one of them loses its number, and makes no more.
pub(crate) async fn run(stage: &Stage, count: u32) -> Result<Value, BoxError> {
    let service = format!("{}-ids", stage.name);
    let one = InstanceIds::new(Arc::clone(&stage.one), &service)?;
    let two = InstanceIds::new(Arc::clone(&stage.two), &service)?;
    let (one, two) = (one.acquire().await?, two.acquire().await?);
    let key = one.key().to_owned();
    let id = Arc::new(two);
    let (one, two) = (Snowflake::new(one)?, Snowflake::new(Arc::clone(&id))?);

    let begun = Instant::now();
    let (half, rest) = tokio::try_join!(make(&one, count.div_ceil(2)), make(&two, count / 2))?;
    let took = begun.elapsed();
    let unique: HashSet<_> = half.iter().chain(&rest).collect();
    check::same("ids that are unique", unique.len(), count as usize)?;
    for (generator, ids) in [(&one, &half), (&two, &rest)] {
        let node = generator.node()?;
        let other = ids.iter().find(|id| generator.decode(**id).node != node);
        check::same("an id of another node", other, None)?;
        let falls = ids.windows(2).find(|pair| pair[0] >= pair[1]);
        check::same("ids out of order", falls, None)?;
    }

    let found = stage.two.range(Range::one(key.clone())).await?;
    let lease = found.kvs.first().map(|kv| kv.lease);
    let lease = lease.ok_or_else(|| format!("{key}: expected in the store, seen nothing"))?;
    stage.two.revoke(lease).await?;
    let ends = async {
        loop {
            match one.next_id().await {
                Err(SnowflakeError::Lost(_)) => return,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    check::soon("no more ids without the number", ends).await?;
    let still = two.next_id().await;
    check::so("the other one goes on", still.is_ok(), still)?;
    drop(two);
    if let Some(id) = Arc::into_inner(id) {
        id.release().await?;
    }
    let rate = f64::from(count) / took.as_secs_f64();
    Ok(json!({"ids": count, "ids_per_s": rate.round(), "example": half[0]}))
}

async fn make(generator: &Snowflake, count: u32) -> Result<Vec<i64>, SnowflakeError> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(generator.next_id().await?);
    }
    Ok(ids)
}
