//! A lock that two contend for.

use crate::{BoxError, Stage, check};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::Instant;
use ziggurat::coord::{Locks, Range, TryLockError};

/// One holds it, the other waits and gets it, with a greater token.
pub(crate) async fn run(stage: &Stage) -> Result<Value, BoxError> {
    let name = &stage.name;
    let (one, two) = (
        Locks::new(Arc::clone(&stage.one)),
        Locks::new(Arc::clone(&stage.two)),
    );
    let first = check::soon("the free lock", one.acquire(name).into_future()).await??;
    let refused = two.try_acquire(name).await.map(|guard| guard.token());
    let held = TryLockError::Held { name: name.clone() };
    check::same("trying the lock that is held", refused, Err(held))?;

    let token = first.token();
    let line = Range::prefix(format!("/locks/{name}/")).keys_only();
    let waiting = async {
        let second = two.acquire(name).await?;
        Ok::<_, BoxError>((second, Instant::now()))
    };
    let handing_over = async {
        // Whoever waits stands in line by a key of its own.
        let in_line = || async { Ok(stage.one.range(line.clone()).await?.count == 2) };
        check::becomes("the second contender in line", in_line).await?;
        check::same("the first holder holds", first.is_held(), true)?;
        let begun = Instant::now();
        first.unlock().await?;
        Ok::<_, BoxError>(begun)
    };
    let both = async { tokio::try_join!(waiting, handing_over) };
    let ((second, had), begun) = check::soon("the lock for the second contender", both).await??;
    let tokens = [token, second.token()];
    check::so("the token rises", tokens[0] < tokens[1], tokens)?;
    let worked = second.run(async { "done" }).await?;
    check::same("work under the lock", worked, "done")?;
    second.unlock().await?;
    let left = stage.one.range(line).await?.count;
    check::same("keys that are left behind", left, 0)?;
    let handover = had.saturating_duration_since(begun).as_micros();
    Ok(json!({"tokens": tokens, "handover_us": handover}))
}
