//! Numbers that tell instances apart.

use crate::{BoxError, Stage, check};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};
use tokio::time::Instant;
use ziggurat::coord::{InstanceIds, TryIdError};

/// Three numbers are taken by two; a fourth taker waits, and gets the one that is given back.
pub(crate) async fn run(stage: &Stage) -> Result<Value, BoxError> {
    let one = InstanceIds::new(Arc::clone(&stage.one), &stage.name)?.range(1..4)?;
    let two = InstanceIds::new(Arc::clone(&stage.two), &stage.name)?.range(1..4)?;
    let begun = Instant::now();
    let taken = async { tokio::try_join!(one.acquire(), two.acquire(), one.acquire()) };
    let (first, second, third) = check::soon("three of three numbers", taken).await??;
    let took = begun.elapsed().as_micros();
    let numbers = [first.id()?, second.id()?, third.id()?];
    let distinct = BTreeSet::from(numbers);
    check::same("the numbers", distinct, BTreeSet::from([1, 2, 3]))?;

    let none = two.try_acquire().await.map(|id| id.key().to_owned());
    let exhausted = matches!(none, Err(TryIdError::Exhausted { .. }));
    check::so("no number is left", exhausted, none)?;
    let freed = numbers[0];
    let begun = Instant::now();
    let both = async {
        // The one who waits is polled first: it has seen that all are taken, or finds one free.
        tokio::join!(two.acquire(), first.release())
    };
    let (fourth, released) = check::soon("the number that is given back", both).await?;
    released?;
    let fourth = fourth?;
    check::same("the number that was free", fourth.id()?, freed)?;
    let handover = begun.elapsed().as_micros();
    for id in [second, third, fourth] {
        id.release().await?;
    }
    Ok(json!({"numbers": numbers, "three_taken_us": took, "handover_us": handover}))
}
