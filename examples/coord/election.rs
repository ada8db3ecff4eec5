//! An election that everybody can follow.

use crate::{BoxError, Stage, check};
use futures_util::{Stream, StreamExt};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::time::Instant;
use ziggurat::coord::{Election, Leader, Range};

/// One leads, proclaims and resigns; the next in line leads.
pub(crate) async fn run(stage: &Stage) -> Result<Value, BoxError> {
    let one = Election::new(Arc::clone(&stage.one), &stage.name)?;
    let two = Election::new(Arc::clone(&stage.two), &stage.name)?;
    let mut seen = two.observe();
    let first = check::soon("a leader", one.campaign("one").into_future()).await??;
    let token = first.token();
    let leader = until(&mut seen, "one").await?;
    check::same("the token of the leader that is seen", leader.token, token)?;
    first.proclaim("one, at work").await?;
    until(&mut seen, "one, at work").await?;

    let lost = first.lost();
    let line = Range::prefix(format!("/elections/{}/", stage.name)).keys_only();
    let standing = async {
        let second = two.campaign("two").await?;
        Ok::<_, BoxError>((second, Instant::now()))
    };
    let resigning = async {
        let in_line = || async { Ok(stage.one.range(line.clone()).await?.count == 2) };
        check::becomes("the second candidate in line", in_line).await?;
        check::same("the first leader leads", first.is_held(), true)?;
        let begun = Instant::now();
        first.resign().await?;
        Ok::<_, BoxError>(begun)
    };
    let both = async { tokio::try_join!(standing, resigning) };
    let ((second, led), begun) = check::soon("the next leader", both).await??;
    check::soon("the first leader knows that it leads no more", lost).await?;
    let next = until(&mut seen, "two").await?;
    check::same("the token of the next leader", next.token, second.token())?;
    let tokens = [token, second.token()];
    check::so("the token rises", tokens[0] < tokens[1], tokens)?;
    second.resign().await?;
    let left = one.leader().await?.map(|leader| leader.token);
    check::same("the leader after both resigned", left, None)?;
    let handover = led.saturating_duration_since(begun).as_micros();
    Ok(json!({"tokens": tokens, "handover_us": handover}))
}

/// Follows the election until this is what its leader says.
async fn until(
    seen: &mut (impl Stream<Item = Option<Leader>> + Unpin),
    value: &str,
) -> Result<Leader, BoxError> {
    let found = async {
        while let Some(leader) = seen.next().await {
            if let Some(leader) = leader.filter(|leader| leader.value == value) {
                return Some(leader);
            }
        }
        None
    };
    let what = format!("an observer sees the leader {value:?}");
    let found = check::soon(&what, found).await?;
    found.ok_or_else(|| format!("{what}: expected so, seen the end of the election").into())
}
