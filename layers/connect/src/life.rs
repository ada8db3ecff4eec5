//! Who keeps the background task of an endpoint alive.

use tokio::task::AbortHandle;

/// Ends the task of an endpoint when the last who needs it is gone: handle, call or body.
#[derive(Debug)]
pub(crate) struct Life(AbortHandle);

// === impl Life ===

impl Life {
    pub(crate) const fn new(task: AbortHandle) -> Self {
        Self(task)
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.0.abort();
    }
}
