//! Standing for leader.

use super::Leadership;
use crate::coord::{queue::Queue, store::StoreError};
use bytes::Bytes;
use futures_core::future::BoxFuture;
use std::{future::IntoFuture, time::Duration};

/// A leadership that is waited for: await it.
///
/// # Defaults
///
/// A lease of 30 s.
#[derive(Clone, Debug)]
#[must_use = "nobody stands for leader before this is awaited"]
pub struct Campaign {
    queue: Queue,
    value: Bytes,
    ttl: Duration,
}

const TTL: Duration = Duration::from_secs(30);

// === impl Campaign ===

impl Campaign {
    pub(super) const fn new(queue: Queue, value: Bytes) -> Self {
        Self {
            queue,
            value,
            ttl: TTL,
        }
    }

    /// How long nobody else leads after this process is gone; 100 ms to 24 h.
    ///
    /// A store may hold it longer: etcd counts whole seconds, and as usually set up grants two at least.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }
}

impl IntoFuture for Campaign {
    type Output = Result<Leadership, StoreError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { queue, value, ttl } = self;
        Box::pin(async move { Ok(Leadership::new(queue.wait(ttl, value).await?)) })
    }
}
