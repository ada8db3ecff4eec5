//! What holds a response body up, or breaks it off.

use crate::{active::Active, plan::Plan};
use std::{
    num::NonZeroU64,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};
use ziggurat_core::clock;

/// The faults of a body; dropped, the call has none any more.
#[derive(Debug)]
pub(crate) struct Flow {
    bandwidth: Option<NonZeroU64>,
    /// How many bytes may still come before the body breaks off.
    left: Option<u64>,
    /// When the bytes that came so far have been sent.
    due: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
    _active: Option<Active>,
}

// === impl Flow ===

impl Flow {
    /// `None`: nothing happens to the body.
    pub(crate) fn of(plan: &Plan, active: Option<Active>) -> Option<Self> {
        (plan.bandwidth.is_some() || plan.cut.is_some()).then_some(Self {
            bandwidth: plan.bandwidth,
            left: plan.cut,
            due: None,
            timer: None,
            _active: active,
        })
    }

    /// Takes `bytes` more on the way. `false`: the body breaks off before them.
    pub(crate) fn admit(&mut self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        if let Some(left) = &mut self.left {
            match left.checked_sub(bytes) {
                Some(rest) => *left = rest,
                None => return false,
            }
        }
        if let Some(bandwidth) = self.bandwidth {
            let now = clock::now();
            let time = sending(bytes, bandwidth);
            // What takes longer than a clock can tell never comes.
            let far = Duration::from_secs(86_400 * 365);
            self.due = Some(now.checked_add(time).unwrap_or(now + far));
        }
        true
    }

    /// Is something to be sent before the end may come?
    pub(crate) const fn is_sending(&self) -> bool {
        self.due.is_some()
    }

    /// Waits until what was admitted has been sent.
    pub(crate) fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.due else {
            return Poll::Ready(());
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        ready!(timer.as_mut().poll(cx));
        self.due = None;
        Poll::Ready(())
    }
}

fn sending(bytes: u64, bandwidth: NonZeroU64) -> Duration {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(bandwidth.get());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
