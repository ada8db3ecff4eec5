//! Contenders for one thing, who work while they have it, and only then.

use super::{findings::Findings, stage::Stage};
use std::{fmt::Display, time::Duration};
use tokio::time::{sleep, timeout};
use ziggurat::coord::{Lost, StoreError};
use ziggurat_core::Dice;

/// How one gets it.
pub(super) trait Contest: Send + Sync + 'static {
    type Guard: Guard;

    /// Waits until one has it.
    fn win(&self) -> impl Future<Output = Result<Self::Guard, StoreError>> + Send;

    /// Where one works who has it.
    fn stage(&self, guard: &Self::Guard) -> Stage;
}

/// What one has then.
pub(super) trait Guard: Send + Sync + 'static {
    fn token(&self) -> i64;
    fn check(&self) -> Result<(), Lost>;
    fn run<F: Future + Send>(
        &self,
        work: F,
    ) -> impl Future<Output = Result<F::Output, Lost>> + Send;
    fn release(self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

const MS: Duration = Duration::from_millis(1);

/// Contends until it is dropped.
pub(super) async fn contend(contest: impl Contest, dice: Dice, findings: Findings) {
    loop {
        // One in four loses its patience some time.
        let patience = match dice.below(4) {
            0 => dice.duration(50 * MS..3_000 * MS),
            _ => Duration::from_secs(3_600),
        };
        match timeout(patience, contest.win()).await {
            Ok(Ok(guard)) => hold(&contest, guard, &dice).await,
            Ok(Err(error)) => gave_up(&findings, &error).await,
            Err(_) => {}
        }
    }
}

async fn hold<C: Contest>(contest: &C, guard: C::Guard, dice: &Dice) {
    let stage = contest.stage(&guard);
    // Some go soon, some hold on until something happens to them.
    let pieces = match dice.below(3) {
        0 => 400,
        _ => 1 + dice.below(20),
    };
    for _ in 0..pieces {
        if !work(&stage, &guard).await {
            return;
        }
    }
    // The others are dropped.
    if dice.below(2) == 0 {
        // Whether it could be told or not, it is over.
        let _told = guard.release().await;
    }
}

/// Works for a moment; false if it is over.
async fn work(stage: &Stage, guard: &impl Guard) -> bool {
    if guard.check().is_err() {
        return false;
    }
    let Some(work) = stage.enter(guard.token()) else {
        if guard.check().is_ok() {
            stage.insists(guard.token());
        }
        return false;
    };
    if guard.run(sleep(10 * MS)).await.is_err() || guard.check().is_err() {
        return false;
    }
    work.counts();
    guard.run(sleep(2 * MS)).await.is_ok()
}

async fn gave_up(findings: &Findings, error: &impl Display) {
    findings.add(format_args!("a contender was refused for good: {error}"));
    sleep(1_000 * MS).await;
}
