//! A pause of the driver's task, which may be moved to another runtime before it is over.

use std::{future::poll_fn, time::Duration};
use tokio::{task, time::sleep};

/// Waits for so long. Unlike a sleep it may be polled by one task after the other, and begins anew with
/// each: a timer of a runtime that is gone panics.
pub(crate) async fn pause(length: Duration) {
    let (mut timer, mut owner) = (Box::pin(sleep(length)), task::try_id());
    poll_fn(move |cx| {
        let task = task::try_id();
        if task != owner {
            (timer, owner) = (Box::pin(sleep(length)), task);
        }
        timer.as_mut().poll(cx)
    })
    .await;
}
