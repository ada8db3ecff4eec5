//! Room on the machine for clusters: more of them at once would starve each other.

use tokio::sync::{Semaphore, SemaphorePermit};

/// So many clusters of three run at a time, in all tests of this program.
static SLOTS: Semaphore = Semaphore::const_new(2);

/// Waits until there is room for one more cluster; it is taken until this is dropped.
pub(super) async fn slot() -> SemaphorePermit<'static> {
    SLOTS.acquire().await.unwrap()
}
