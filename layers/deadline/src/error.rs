//! The one error that the layer adds.

use std::{borrow::Cow, error::Error, fmt, time::Duration};
use ziggurat_core::{Code, Rejection, Sent, Stage, Whereabouts, clock::Instant};

/// The deadline of the call has passed.
#[derive(Clone, Debug)]
pub struct Exceeded {
    phase: Phase,
    after: Duration,
    call: Whereabouts,
    rejection: Rejection,
}

/// What a call was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Nothing yet: its time was up before it was sent.
    Sending,
    /// Waiting for the response: for an endpoint, a connection, a retry, or the server.
    Response,
    /// Reading the body of the response.
    Body,
}

// === impl Exceeded ===

impl Exceeded {
    pub(crate) fn before_sending() -> Self {
        let (call, now) = (Whereabouts::default(), None);
        Self::new(Phase::Sending, Duration::ZERO, call, now)
    }

    /// `call` is what was told when the call was dropped, at `now`.
    pub(crate) fn new(
        phase: Phase,
        after: Duration,
        call: Whereabouts,
        now: Option<Instant>,
    ) -> Self {
        let (shown, sending) = (shown(after), phase == Phase::Sending);
        let (reason, sent) = match phase {
            Phase::Sending => (
                Cow::Borrowed("deadline exceeded before sending"),
                Sent::Never,
            ),
            Phase::Response => (
                format!("deadline exceeded after {shown:?} {}", waiting(call, now)).into(),
                Sent::Unknown,
            ),
            Phase::Body => (
                format!("deadline exceeded after {shown:?} reading the response body").into(),
                Sent::Unknown,
            ),
        };
        let rejection = Rejection::decided(Code::DeadlineExceeded, reason).with_sent(sent);
        // Nobody was asked: a caller that is too late says nothing about the service.
        let rejection = if sending {
            rejection.by_caller()
        } else {
            rejection
        };
        Self {
            phase,
            after,
            call,
            rejection,
        }
    }

    /// What the call was doing when its time was up.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// What the call waited for while it had no response, if a layer inside told: nothing told is the
    /// response itself.
    #[must_use]
    pub const fn stage(&self) -> Option<Stage> {
        self.call.stage
    }

    /// The attempt that was under way, or was to follow the pause; the first is 1. `None`: nobody
    /// counts them.
    #[must_use]
    pub const fn attempt(&self) -> Option<u32> {
        self.call.attempt
    }

    /// How long the call had run in this layer.
    #[must_use]
    pub const fn after(&self) -> Duration {
        self.after
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.rejection, f)
    }
}

impl Error for Exceeded {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

/// Where the time went, in words.
fn waiting(call: Whereabouts, now: Option<Instant>) -> String {
    let mut text = match (call.stage, call.attempt) {
        (Some(Stage::Backoff), Some(attempt)) => format!("waiting for attempt {attempt}"),
        (Some(stage), _) => format!("waiting for {stage}"),
        (None, _) => String::from("waiting for the response"),
    };
    if let (Some(since), Some(now)) = (call.since, now) {
        let lasted = shown(now.saturating_duration_since(since));
        text += &format!(" for {lasted:?}");
    }
    match call.attempt {
        Some(attempt) if attempt > 1 && call.stage != Some(Stage::Backoff) => {
            text + &format!(" in attempt {attempt}")
        }
        _ => text,
    }
}

/// Nanoseconds would only make the message long.
fn shown(time: Duration) -> Duration {
    Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}
