//! Why a call was not sent.

use std::{error::Error, fmt, sync::OnceLock, time::Duration};
use ziggurat_core::{BoxError, Code, Rejection};

/// More calls came than the rate allows: this one was not sent.
#[derive(Clone, Debug)]
pub struct Limited {
    retry_after: Duration,
    /// Made when somebody asks: who is flooded says no more often than anybody reads why. Boxed, as nobody
    /// should carry the room for it until then.
    rejection: OnceLock<Box<Rejection>>,
}

/// A call that costs more than the burst: no waiting would help. It stands for INVALID_ARGUMENT.
#[derive(Clone, Debug)]
pub struct TooCostly {
    rejection: Rejection,
    cost: u32,
    burst: u32,
}

/// A key that is longer than [`MAX_KEY`](crate::MAX_KEY): nobody counted it, and nobody would want to.
/// It stands for INVALID_ARGUMENT.
#[derive(Clone, Debug)]
pub struct KeyTooLong {
    rejection: Rejection,
    len: usize,
}

/// Why a limit does not admit a call.
#[derive(Debug)]
pub(crate) enum Refusal {
    Limited(Duration),
    TooCostly { cost: u32, burst: u32 },
    KeyTooLong(usize),
}

// === impl Limited ===

impl Limited {
    /// A call that may come again after this time: for limits of one's own, that are kept elsewhere.
    #[must_use]
    pub const fn new(retry_after: Duration) -> Self {
        Self {
            retry_after,
            rejection: OnceLock::new(),
        }
    }

    /// How long until the rate allows another call: exactly, if no other call comes first.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        self.retry_after
    }
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rate limit exceeded")
    }
}

impl Error for Limited {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let decided = || Rejection::decided(Code::ResourceExhausted, "rate limit exceeded");
        let rejection = || Box::new(decided().with_retry_after(self.retry_after));
        Some(&**self.rejection.get_or_init(rejection))
    }
}

// === impl TooCostly ===

impl TooCostly {
    /// A call of this cost, where no more than `burst` may come at once.
    #[must_use]
    pub fn new(cost: u32, burst: u32) -> Self {
        Self {
            rejection: Rejection::decided(Code::InvalidArgument, "call costs more than the burst"),
            cost,
            burst,
        }
    }

    /// What the call would have cost.
    #[must_use]
    pub const fn cost(&self) -> u32 {
        self.cost
    }

    /// The burst, which it is above.
    #[must_use]
    pub const fn burst(&self) -> u32 {
        self.burst
    }
}

impl fmt::Display for TooCostly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cost, burst, .. } = self;
        write!(f, "a call that costs {cost} is above the burst of {burst}")
    }
}

impl Error for TooCostly {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

// === impl KeyTooLong ===

impl KeyTooLong {
    /// A key of so many bytes.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self {
            rejection: Rejection::decided(Code::InvalidArgument, "key of the call is too long"),
            len,
        }
    }

    /// The length of the key, in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// It never is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Display for KeyTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key of {} bytes is too long", self.len)
    }
}

impl Error for KeyTooLong {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.rejection)
    }
}

// === impl Refusal ===

impl From<Refusal> for BoxError {
    #[inline]
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Limited(wait) => limited(wait),
            Refusal::TooCostly { cost, burst } => TooCostly::new(cost, burst).into(),
            Refusal::KeyTooLong(len) => KeyTooLong::new(len).into(),
        }
    }
}

/// Written into its box: what is written first and then moved into it is waited for.
#[inline(always)]
fn limited(wait: Duration) -> BoxError {
    let place = Box::new_uninit();
    let limited: Box<Limited> = Box::write(place, Limited::new(wait));
    limited
}
