//! What the one task of a balancer does: it follows discovery, counts who may be picked, and has calls
//! shared out anew where endpoints say how loaded they are.

use crate::{hub::Hub, panic, pause::pause, policy::Arrange, reweigh::reweigh, set::Book};
use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tower::discover::{Change, Discover};
use ziggurat_core::{BoxError, Endpoint, EndpointId};

/// What one look at a discovery may find.
enum Batch {
    /// So many changes, and there may be more.
    Full,
    /// Nothing more for now.
    Drained,
    /// An error, after so many in a row.
    Trouble(u32),
    Ended,
}

/// The most changes before they are published and others get their turn.
const BATCH: usize = 4_096;
/// A discovery that fails at once, each time it is asked, is not asked all the time.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Follows `discover` until it ends, and publishes what it says to `hub`; counts and weighs until it is
/// dropped.
pub(crate) async fn follow<D, P>(discover: D, hub: Arc<Hub<D::Service, P>>)
where
    P: Arrange,
    D: Discover<Key = EndpointId>,
    D::Service: Endpoint,
    D::Error: Into<BoxError>,
{
    let mut counting = pin!(panic::count(&hub));
    let mut weighing = pin!(reweigh(&hub));
    {
        let mut publishing = pin!(publish(discover, &hub));
        poll_fn(|cx| {
            let published = publishing.as_mut().poll(cx);
            // They never end.
            let _ = counting.as_mut().poll(cx);
            let _ = weighing.as_mut().poll(cx);
            published
        })
        .await;
    }
    // Discovery is over, and dropped; those known last still come and go.
    poll_fn(|cx| {
        let _ = weighing.as_mut().poll(cx);
        counting.as_mut().poll(cx)
    })
    .await;
}

async fn publish<D, P>(discover: D, hub: &Hub<D::Service, P>)
where
    P: Arrange,
    D: Discover<Key = EndpointId>,
    D::Service: Endpoint,
    D::Error: Into<BoxError>,
{
    let mut discover = pin!(discover);
    let mut book = Book::new(Arc::clone(hub.facts()));
    let mut errors = 0;
    loop {
        let batch = next_batch(discover.as_mut(), &mut book, hub, &mut errors).await;
        match batch {
            Batch::Full => tokio::task::yield_now().await,
            Batch::Drained => {}
            Batch::Trouble(errors) => {
                let length = PAUSE.saturating_mul(1 << errors.min(16));
                pause(length.min(LONGEST_PAUSE)).await;
            }
            Batch::Ended => {
                // The last word stands. A stream that has ended is not asked again.
                tracing::debug!(service = hub.facts().service(), "discovery ended");
                return;
            }
        }
    }
}

/// Takes in all that is there, and publishes once.
async fn next_batch<D, P>(
    mut discover: Pin<&mut D>,
    book: &mut Book<D::Service>,
    hub: &Hub<D::Service, P>,
    errors: &mut u32,
) -> Batch
where
    P: Arrange,
    D: Discover<Key = EndpointId>,
    D::Service: Endpoint,
    D::Error: Into<BoxError>,
{
    let mut changes = 0;
    poll_fn(|cx| {
        let batch = loop {
            if changes == BATCH {
                break Batch::Full;
            }
            match discover.as_mut().poll_discover(cx) {
                Poll::Ready(Some(Ok(change))) => {
                    apply(change, book, hub);
                    *errors = 0;
                    changes += 1;
                }
                Poll::Ready(Some(Err(error))) => {
                    hub.facts().trouble(&error.into());
                    *errors = errors.saturating_add(1);
                    break Batch::Trouble(*errors - 1);
                }
                Poll::Ready(None) => break Batch::Ended,
                Poll::Pending if changes == 0 => return Poll::Pending,
                Poll::Pending => break Batch::Drained,
            }
        };
        if changes > 0 {
            let memory = hub.facts().settings().memory();
            hub.publish(book.copy(hub.facts().now(), memory));
        }
        Poll::Ready(batch)
    })
    .await
}

fn apply<E: Endpoint, P: Arrange>(
    change: Change<EndpointId, E>,
    book: &mut Book<E>,
    hub: &Hub<E, P>,
) {
    match change {
        Change::Insert(id, endpoint) => {
            endpoint.availability().listen(hub.changed());
            book.insert(id, endpoint, hub.facts().now());
        }
        Change::Remove(id) => book.remove(&id, hub.facts().now()),
    }
}
