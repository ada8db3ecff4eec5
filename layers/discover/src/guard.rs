//! A source that does not frighten: what it emptied or shrank at once stays for a while, and is
//! marked as stale.

mod guarded;

pub use self::guarded::{Guarded, Heard, Stale};

use crate::layer::GRACE;
use futures_util::StreamExt;
use std::time::Duration;
use ziggurat_core::{Changes, Resolve};

/// Follows what another source follows, but for a set that it emptied, or shrank by 80 % or more if
/// it had five: those who vanished so stay for a grace period. Whoever [left] for certain is gone at
/// once, the only one as well as the ninth of ten.
///
/// For those who look at instances themselves: the layer of this crate has such a guard already. One
/// guard above another does no harm, since what the first one has waited for leaves for certain.
///
/// [left]: ziggurat_core::Change::Left
///
/// # Defaults
///
/// A grace period of 10 s.
///
/// ```
/// use futures_util::StreamExt;
/// use ziggurat_core::Instance;
/// use ziggurat_discover::{Guard, Heard, Watched};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), ziggurat_core::BoxError> {
/// let (instances, watched) = Watched::channel([Instance::new("echo", "a", "10.0.0.1", 80)?]);
/// let mut echo = Guard::new(watched).watch("echo");
/// assert!(matches!(echo.next().await, Some(Heard::Change(_))));
///
/// instances.send(vec![])?;
/// assert!(matches!(echo.next().await, Some(Heard::Stale(_))));
/// assert_eq!((echo.instances().count(), echo.is_stale()), (1, true));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Guard<R> {
    inner: R,
    grace: Duration,
}

// === impl Guard ===

impl<R> Guard<R> {
    /// Guards what `inner` says.
    pub const fn new(inner: R) -> Self {
        Self {
            inner,
            grace: GRACE,
        }
    }

    /// Those who vanished stay for so long; zero to believe the source at once.
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// What is guarded.
    pub const fn get_ref(&self) -> &R {
        &self.inner
    }

    /// What is guarded.
    pub fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: Resolve> Guard<R> {
    /// Follows the instances of `service`, and tells when what it says is stale.
    pub fn watch(&self, service: &str) -> Guarded {
        Guarded::new(self.inner.resolve(service), self.grace)
    }
}

impl<R: Resolve> Resolve for Guard<R> {
    /// As [`watch`](Self::watch), without the marks of a set that shrank: they are no trouble.
    fn resolve(&self, service: &str) -> Changes {
        let said = self.watch(service);
        said.filter_map(|heard| async { heard.into_change() })
            .boxed()
    }
}
