//! Calls are shared out anew from time to time, where endpoints say how loaded they are.

use crate::{hub::Hub, pause::pause, policy::Arrange};
use std::future::pending;

/// Has the policy arrange the same endpoints again and again, for ever. Does nothing where no policy
/// wants to know of their reports.
pub(crate) async fn reweigh<E, P: Arrange>(hub: &Hub<E, P>) {
    let Some(reports) = hub.facts().reports() else {
        return pending().await;
    };
    loop {
        pause(reports.update()).await;
        hub.arrange_again();
    }
}
