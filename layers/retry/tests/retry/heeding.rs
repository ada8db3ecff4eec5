//! What a failure says of coming back, when any future is tried again.

use crate::kit::*;
use std::{error::Error, fmt, sync::Mutex, time::Duration};
use tokio::time::Instant;
use ziggurat_core::{BoxError, Code, Deadline, Rejection};
use ziggurat_retry::{Policy, run};

/// As the error of a layer: what it was caused by says more.
#[derive(Debug)]
struct Wrapped(Rejection);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("limited")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// 100 ms, 200 ms, ... without jitter.
fn policy() -> Policy {
    Policy::new().backoff(steady(100 * MS))
}

#[tokio::test(start_paused = true)]
async fn what_a_rejection_says_of_coming_back_is_heeded_and_the_backoff_begins_anew() {
    let policy = policy().max_retries(4);
    let busy = |after| Rejection::decided(Code::ResourceExhausted, "busy").with_retry_after(after);
    let times = Mutex::new(Vec::new());
    let failed = run(&policy, async |attempt| {
        times.lock().unwrap().push(Instant::now());
        let error: BoxError = match attempt.number() {
            3 => Box::new(Wrapped(busy(1_500 * MS))),
            _ => "down".into(),
        };
        Err::<(), _>(error)
    });
    assert_eq!(failed.await.unwrap_err().attempts(), 5);
    let times = times.into_inner().unwrap();
    let waits: Vec<_> = times
        .windows(2)
        .map(|two| (two[1] - two[0]) / 100)
        .collect();
    assert_eq!(waits, [MS, 2 * MS, 15 * MS, MS]);

    // As it is, not only in a box.
    let began = Instant::now();
    let answer = run(&policy, async |attempt| match attempt.number() {
        1 => Err(busy(70 * MS)),
        number => Ok(number),
    });
    assert_eq!((answer.await.unwrap(), began.elapsed()), (2, 70 * MS));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_rejection_that_asks_for_more_time_than_there_is() {
    for (deadline, after, attempts) in [
        (Some(300 * MS), 299 * MS, 2),
        (Some(300 * MS), 300 * MS, 1),
        (None, 60_000 * MS, 2),
        (None, 60_001 * MS, 1),
        (None, Duration::MAX, 1),
    ] {
        let mut policy = policy().max_retries(1);
        if deadline.is_some() {
            policy = policy.deadline_from(|| Some(Deadline::after(300 * MS)));
        }
        let began = Instant::now();
        let failed = run(&policy, async |_| {
            let busy = Rejection::decided(Code::Unavailable, "open").with_retry_after(after);
            Err::<(), BoxError>(busy.into())
        });
        assert_eq!(failed.await.unwrap_err().attempts(), attempts, "{after:?}");
        let waited = if attempts == 2 { after } else { Duration::ZERO };
        assert_eq!(began.elapsed(), waited);
    }
}
