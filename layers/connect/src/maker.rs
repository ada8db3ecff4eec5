//! Makes connections to one instance.

use crate::{
    driver::{Driver, handshake},
    error::NotConnected,
    link::Link,
    observer::Observer,
    road::Road,
    settings::{Keepalive, Settings},
    slots::Slots,
};
use std::sync::Arc;
use tokio::time::timeout;
use ziggurat_core::{BoxError, Dice, EndpointId, contain};

/// What every connection to an instance is made of.
pub(crate) struct Maker {
    pub(crate) road: Road,
    pub(crate) settings: Settings,
    pub(crate) dice: Dice,
    pub(crate) observer: Arc<dyn Observer>,
}

// === impl Maker ===

impl Maker {
    pub(crate) const fn id(&self) -> &EndpointId {
        self.road.instance.id()
    }

    /// Tells the observer, which cannot end the task that tells it.
    pub(crate) fn tell(&self, what: impl FnOnce(&dyn Observer, &EndpointId)) {
        contain(|| what(&*self.observer, self.id()));
    }

    /// Makes connection number `number`, whose streams are among `slots` from then on.
    pub(crate) async fn open(
        &self,
        number: u64,
        keepalive: Option<Keepalive>,
        slots: &Arc<Slots>,
    ) -> Result<(Link, Driver), BoxError> {
        let open = async {
            let stream = self.road.open().await?;
            handshake(stream, number, &self.settings, keepalive, slots).await
        };
        match timeout(self.settings.connect_timeout, open).await {
            Ok(made) => made,
            Err(_) => Err(NotConnected("timed out before the peer said SETTINGS").into()),
        }
    }
}
