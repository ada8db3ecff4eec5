//! What one who follows a name is told: the difference to what it was told before.
//!
//! There is no queue to overflow: a slow one is told less often, and never anything that is no
//! longer so.

use super::{
    Registry,
    feed::{Feed, News, Snapshot},
    goodbyes::Goodbyes,
};
use crate::coord::store::StoreError;
use futures_core::Stream;
use futures_util::stream;
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::watch;
use ziggurat_core::{BoxError, Change, Instance};

/// One who follows a name.
struct Subscriber {
    registry: Registry,
    service: String,
    /// What it shares with the others, from the first poll on.
    feed: Option<(Arc<Feed>, watch::Receiver<News>)>,
    told: Option<Arc<Snapshot>>,
    troubled: bool,
    due: VecDeque<Result<Change, BoxError>>,
    ended: bool,
}

/// The changes of `service`; it begins when it is polled.
pub(super) fn follow(
    registry: Registry,
    service: String,
) -> impl Stream<Item = Result<Change, BoxError>> + Send + 'static {
    let subscriber = Subscriber {
        registry,
        service,
        feed: None,
        told: None,
        troubled: false,
        due: VecDeque::new(),
        ended: false,
    };
    let next = |mut subscriber: Subscriber| async { Some((subscriber.next().await?, subscriber)) };
    stream::unfold(subscriber, next)
}

// === impl Subscriber ===

impl Subscriber {
    async fn next(&mut self) -> Option<Result<Change, BoxError>> {
        loop {
            if let Some(change) = self.due.pop_front() {
                return Some(change);
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.wait().await {
                self.ended = true;
                return Some(Err(error.into()));
            }
        }
    }

    /// Waits for news and finds out what they mean; it may be nothing.
    async fn wait(&mut self) -> Result<(), StoreError> {
        let Some((_, news)) = &mut self.feed else {
            let feed = self.registry.feed(&self.service)?;
            let mut news = feed.news();
            news.mark_changed();
            self.feed = Some((feed, news));
            return Ok(());
        };
        if news.changed().await.is_err() {
            // Its runtime went away; this one has another, or finds out.
            self.feed = None;
            return Ok(());
        }
        let latest = news.borrow_and_update().clone();
        if let Some(snapshot) = latest.snapshot {
            self.tell(snapshot, &latest.left);
        }
        match latest.trouble {
            Some(error) if !self.troubled => {
                self.troubled = true;
                self.due.push_back(Err(error.into()));
            }
            Some(_) => {}
            None if std::mem::take(&mut self.troubled) && self.due.is_empty() => {
                self.due.push_back(Ok(Change::Current));
            }
            None => {}
        }
        Ok(())
    }

    fn tell(&mut self, snapshot: Arc<Snapshot>, left: &Goodbyes) {
        let Some(told) = self.told.replace(Arc::clone(&snapshot)) else {
            let all = snapshot.values().map(Arc::clone).collect();
            self.due.push_back(Ok(Change::All(all)));
            return;
        };
        if Arc::ptr_eq(&told, &snapshot) {
            return;
        }
        let is_new = |instance: &&Arc<Instance>| told.get(instance.id()) != Some(*instance);
        // What came goes first, so that whoever applies this one by one is never short of both.
        let came = snapshot
            .values()
            .filter(is_new)
            .map(|new| Change::Put(Arc::clone(new)));
        let went = told.keys().filter(|id| !snapshot.contains_key(id));
        let went = went.map(|id| match left.contains(id) {
            true => Change::Left(id.clone()),
            false => Change::Remove(id.clone()),
        });
        let changes = came.chain(went);
        self.due.extend(changes.map(Ok));
    }
}
