//! When the endpoint of an instance that moved takes the place of the one before.

use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, time::timeout};
use ziggurat_core::{Availability, State};

/// The registry is believed after this, whatever the new endpoint is like.
const PATIENCE: Duration = Duration::from_secs(20);

/// Is `new` no worse than `old`?
pub(crate) fn is_due(new: &Availability, old: &Availability) -> bool {
    // Who is idle connects when it is asked, and nobody asks it here.
    new.state() <= old.state().max(State::Idle)
}

/// Ready when `new` is no worse than `old`, and after [`PATIENCE`] in any case.
///
/// A connector may answer long before it is connected; a connection that works is not given up for
/// one that may never come.
pub(crate) async fn due(new: &Availability, old: &Availability) {
    let changed = Arc::new(Notify::new());
    new.listen(&changed);
    old.listen(&changed);
    let no_worse = async {
        loop {
            // Made before the look: it hears of every change after it.
            let heard = changed.notified();
            if is_due(new, old) {
                return;
            }
            heard.await;
        }
    };
    let _ = timeout(PATIENCE, no_worse).await;
}
