//! The same for any future: tries an operation again.

mod failed;
mod pause;
mod policy;

use self::pause::Pauses;
use crate::{Permit, chain};
use std::{future::poll_fn, pin::pin};
use tokio::time::{sleep_until, timeout_at};
use ziggurat_core::{Attempt, Deadline, Tried, clock};

pub use self::{
    failed::{Failed, Last},
    policy::{Always, Heeding, Policy, Retryable},
};

/// Makes `op` up to as often as `policy` says, until it succeeds, fails for good, or there is no
/// time left for another attempt.
///
/// Dropped, it drops the attempt under way. The operation is told [which attempt](Attempt) it is.
/// An attempt that is cut short by its timeout is dropped, whatever it was doing.
///
/// A failure that says when to come back (a [`Rejection`](ziggurat_core::Rejection) with `retry_after`,
/// as an error of its own, in a box, or as the cause of one in a box; of other types
/// [`heed`](Policy::heed) tells) is heeded like a server's pushback: exactly so long is waited, and the
/// backoff begins anew. What the deadline leaves no time for is not waited for, nor more than a minute
/// if there is none.
///
/// ```
/// use std::time::Duration;
/// use ziggurat_retry::{Policy, run};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let policy = Policy::new().max_retries(3).attempt_timeout(Duration::from_secs(1))?;
/// let answer = run(&policy, async |attempt| match attempt.number() {
///     1 | 2 => Err("not yet"),
///     number => Ok(number),
/// });
/// assert_eq!(answer.await.ok(), Some(3));
///
/// let failed = run(&policy, async |_| Err::<(), _>("never")).await.unwrap_err();
/// assert_eq!((failed.attempts(), failed.error()), (4, Some(&"never")));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// What the last attempt failed with, and how many there were.
pub async fn run<T, E, P, F, Fut>(policy: &Policy<P>, mut op: F) -> Result<T, Failed<E>>
where
    P: Retryable<E>,
    F: FnMut(Attempt) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let deadline = policy.deadline();
    let tried = Tried::new();
    let _counted = policy.budget.call(&policy.rules, clock::now());
    let mut permit: Option<Permit> = None;
    let (mut number, mut pauses) = (1, Pauses::default());
    loop {
        if let Some(permit) = &mut permit {
            permit.spend();
        }
        let attempt = Attempt::new(number, tried.clone()).pushback(pauses.hint());
        let last = match one(policy, deadline, number, op(attempt)).await {
            Ok(value) => {
                policy.budget.succeeded(&policy.rules);
                return Ok(value);
            }
            Err(last) => last,
        };
        // The attempt is over.
        drop(permit.take());
        if !policy.is_retryable(&last) {
            return Err(Failed::new(number, last));
        }
        policy.budget.failed(&policy.rules);
        let hint = policy.retry_after(&last);
        let delay = pauses.next(hint, &policy.backoff, &policy.dice);
        let now = clock::now();
        let next = Deadline::after_from(delay, now);
        let over = number > policy.max_retries
            || policy.chain_stop && chain::is_again()
            || pauses.is_too_late(next, deadline);
        if !over {
            permit = policy.budget.withdraw(&policy.rules, now);
        }
        if permit.is_none() {
            // Who tried again, or found the budget empty, has done what could be done: whoever this
            // serves need not try, too.
            if number > 1 || !over {
                chain::give_up();
            }
            return Err(Failed::new(number, last));
        }
        sleep_until(next.instant()).await;
        number += 1;
    }
}

/// One attempt, within its time and that of the whole.
async fn one<T, E, P, Fut>(
    policy: &Policy<P>,
    deadline: Option<Deadline>,
    number: u32,
    attempt: Fut,
) -> Result<T, Last<E>>
where
    Fut: Future<Output = Result<T, E>>,
{
    let mut attempt = pin!(attempt);
    let now = clock::now();
    let own = policy
        .attempt_timeout
        .map(|timeout| Deadline::after_from(timeout, now));
    let Some(due) = Deadline::earlier(own, deadline) else {
        return attempt.await.map_err(Last::Error);
    };
    let attempt = poll_fn(|cx| attempt.as_mut().poll(cx));
    match timeout_at(due.instant(), attempt).await {
        Ok(result) => result.map_err(Last::Error),
        Err(_) => Err(Last::timed_out(number, due.remaining(now))),
    }
}
