//! The stream of changes, asked for again whenever it ends.

use crate::layer::DiscoverLayer;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Sleep, sleep};
use ziggurat_core::{BoxError, Change, Changes, clock, clock::Instant};

/// What the layer's `Resolve` says, without its errors and its ends.
#[derive(Default)]
pub(crate) struct Source {
    /// `None`: to be asked for. A stream that ended is never polled again.
    changes: Option<Changes>,
    pause: Option<Pin<Box<Sleep>>>,
    troubles: u32,
    last_trouble: Option<Instant>,
    /// The last trouble was an error, which the stream outlived.
    erred: bool,
}

/// A source that was well for so long has recovered: its next trouble is its first.
const WELL: Duration = Duration::from_secs(30);

// === impl Source ===

impl Source {
    /// The next change; there is always another, some time.
    pub(crate) fn poll_change(
        &mut self,
        cx: &mut Context<'_>,
        layer: &DiscoverLayer,
    ) -> Poll<Change> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            let ask = || layer.resolve.resolve(&layer.service);
            let changes = self.changes.get_or_insert_with(ask);
            match ready!(changes.as_mut().poll_next(cx)) {
                Some(Ok(change)) => {
                    // One that comes and goes is heard as soon as it is back. One that ends, and then
                    // has the same to say again, is asked less and less.
                    if std::mem::take(&mut self.erred) {
                        self.troubles = 0;
                    }
                    return Poll::Ready(change);
                }
                // Its stream goes on, but not at once: it may have nothing but errors to say.
                Some(Err(error)) => self.wait(Some(error), layer),
                None => {
                    self.changes = None;
                    self.wait(None, layer);
                }
            }
        }
    }

    fn wait(&mut self, error: Option<BoxError>, layer: &DiscoverLayer) {
        let now = clock::now();
        let before = self.last_trouble.replace(now);
        if before.is_none_or(|before| now.saturating_duration_since(before) > WELL) {
            self.troubles = 0;
        }
        self.troubles = self.troubles.saturating_add(1);
        let retry_in = layer.backoff.delay(self.troubles, &layer.dice);
        let service = &*layer.service;
        match &error {
            Some(error) => tracing::warn!(service, %error, ?retry_in, "source in trouble"),
            None => tracing::warn!(service, ?retry_in, "source ended"),
        }
        self.erred = error.is_some();
        let error = error.as_deref();
        layer.tell(|observer| observer.source_failed(service, error, retry_in));
        self.pause = Some(Box::pin(sleep(retry_in)));
    }
}
