//! What the caller of one call may ask for, on `tonic::Request`.

use std::time::Duration;
use ziggurat_core::{CallOptions, Deadline};

/// Asks something for this one call of a generated client.
///
/// ```
/// use std::time::Duration;
/// use ziggurat::client::RequestExt;
///
/// let request = tonic::Request::new("hello")
///     .with_timeout(Duration::from_millis(250))
///     .idempotent();
/// # assert!(request.extensions().get::<ziggurat::core::CallOptions>().is_some());
/// ```
pub trait RequestExt: Sized {
    /// The call must be over this long from now, retries and the whole answer included.
    #[must_use]
    fn with_timeout(self, timeout: Duration) -> Self;

    /// The call may take as long as it takes, whatever the timeout of its channel: for a stream that
    /// is read for hours. A [maximum](ziggurat_deadline::Settings::at_most) of the channel and the
    /// deadline of a call that is being served hold all the same.
    #[must_use]
    fn without_timeout(self) -> Self;

    /// The call must be over by then.
    #[must_use]
    fn with_deadline(self, deadline: Deadline) -> Self;

    /// Wait for an endpoint until the deadline, rather than failing when none is in sight.
    #[must_use]
    fn wait_for_ready(self) -> Self;

    /// The call may be made twice, so it may be tried again even if a server may have seen it.
    #[must_use]
    fn idempotent(self) -> Self;

    /// Calls with one key go to one endpoint, where the balance policy hashes.
    #[must_use]
    fn with_hash_key(self, key: u64) -> Self;
}

// === impl RequestExt ===

impl<T> RequestExt for tonic::Request<T> {
    fn with_timeout(self, timeout: Duration) -> Self {
        ask(self, |options| options.timeout(timeout))
    }

    fn without_timeout(self) -> Self {
        // What is too far for the clock is about 30 years away.
        self.with_timeout(Duration::MAX)
    }

    fn with_deadline(self, deadline: Deadline) -> Self {
        ask(self, |options| options.deadline(deadline))
    }

    fn wait_for_ready(self) -> Self {
        ask(self, |options| options.wait_for_ready(true))
    }

    fn idempotent(self) -> Self {
        ask(self, |options| options.idempotent(true))
    }

    fn with_hash_key(self, key: u64) -> Self {
        ask(self, |options| options.hash_key(key))
    }
}

fn ask<T>(
    mut request: tonic::Request<T>,
    ask: impl FnOnce(CallOptions) -> CallOptions,
) -> tonic::Request<T> {
    let options = request
        .extensions()
        .get::<CallOptions>()
        .copied()
        .unwrap_or_default();
    request.extensions_mut().insert(ask(options));
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_adds_up() {
        let request = tonic::Request::new(())
            .idempotent()
            .with_hash_key(7)
            .wait_for_ready();
        let expected = CallOptions::new()
            .idempotent(true)
            .hash_key(7)
            .wait_for_ready(true);
        assert_eq!(request.extensions().get(), Some(&expected));
    }
}
