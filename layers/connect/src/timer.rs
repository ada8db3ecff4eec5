//! hyper's clock.

use hyper::rt::{Sleep, Timer};
use hyper_util::rt::TokioTimer;
use std::{pin::Pin, time::Duration};
use ziggurat_core::clock;

#[allow(clippy::disallowed_types, reason = "what hyper counts in")]
type Instant = std::time::Instant;

/// tokio's timers by the time of `core`: with keepalive on, hyper asks for it at every frame, and the
/// connection's task [holds](clock::hold) it meanwhile.
#[derive(Clone, Debug)]
pub(crate) struct ClockTimer(pub(crate) TokioTimer);

// === impl ClockTimer ===

impl Timer for ClockTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.0.sleep(duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.0.sleep_until(deadline)
    }

    fn now(&self) -> Instant {
        clock::now().into_std()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, deadline: Instant) {
        self.0.reset(sleep, deadline);
    }
}
