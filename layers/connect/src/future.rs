//! The futures of the connector and of a connection.

use crate::{
    body::Body,
    connection::Connection,
    error::{TooLate, Undelivered},
    group::Seat,
    guard::guard,
    keeper::Keeper,
    life::Life,
    shared::Shared,
    target,
};
use http::{Request, Response};
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{runtime::Handle, time::timeout_at};
use tracing::Instrument;
use ziggurat_core::{BoxError, Deadline};

/// Answers a [`Connection`] at its first poll, which starts the task that keeps it connected.
pub struct ConnectFuture<B>(Option<Result<Start<B>, BoxError>>);

/// Answers when the head of the response is there.
///
/// Boxed once: the future of hyper's that is in it cannot be named.
pub struct ResponseFuture(Pin<Box<Deliver>>);

pub(crate) struct Start<B> {
    pub(crate) shared: Arc<Shared<B>>,
    pub(crate) keeper: Keeper<B>,
}

type Deliver = dyn Future<Output = Result<Response<Body>, BoxError>> + Send;

/// So many connections in a row may close before they have sent a call that they took.
const HANDOVERS: u32 = 8;

// === impl ConnectFuture ===

impl<B> ConnectFuture<B> {
    pub(crate) const fn new(start: Result<Start<B>, BoxError>) -> Self {
        Self(Some(start))
    }
}

impl<B> Unpin for ConnectFuture<B> {}

impl<B> Future for ConnectFuture<B>
where
    B: http_body::Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Output = Result<Connection<B>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.take().map_or(Poll::Pending, |start| {
            Poll::Ready(start.and_then(Start::begin))
        })
    }
}

impl<B> fmt::Debug for ConnectFuture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectFuture").finish_non_exhaustive()
    }
}

// === impl Start ===

impl<B> Start<B>
where
    B: http_body::Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    fn begin(self) -> Result<Connection<B>, BoxError> {
        let Self { shared, keeper } = self;
        let runtime = Handle::try_current()?;
        let span = tracing::debug_span!(parent: None, "connection", endpoint = %shared.id);
        // It owns the socket; `Life` owns it.
        let task = runtime.spawn(keeper.run().instrument(span));
        let life = Arc::new(Life::new(task.abort_handle()));
        Ok(Connection::new(shared, life))
    }
}

// === impl ResponseFuture ===

impl ResponseFuture {
    pub(crate) fn new<B>(shared: Arc<Shared<B>>, life: Arc<Life>, request: Request<B>) -> Self
    where
        B: http_body::Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        Self(Box::pin(deliver(shared, life, request)))
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

#[allow(
    clippy::manual_async_fn,
    reason = "an `async fn` keeps each of its arguments twice, and this is to be a small block"
)]
fn deliver<B>(
    shared: Arc<Shared<B>>,
    life: Arc<Life>,
    mut request: Request<B>,
) -> impl Future<Output = Result<Response<Body>, BoxError>>
where
    B: http_body::Body + 'static,
{
    async move {
        let deadline = target::deadline(&request);
        let mut spent = 0;
        for _ in 0..HANDOVERS {
            let (group, Seat { link, slot }) = match shared.admit_at_once(spent) {
                Some(admitted) => admitted,
                // Boxed: few calls wait, and all of them have room for this.
                None => Box::pin(by(deadline, shared.admit(spent))).await??,
            };
            if let Some(deadline) = deadline {
                target::stamp(&mut request, deadline)?;
            }
            match link.send(request).await {
                Ok(mut response) => {
                    link.note_answer();
                    guard(response.headers_mut());
                    return Ok(response.map(|body| Body::new(body, slot, life)));
                }
                Err(mut failed) => {
                    let Some(back) = failed.take_message() else {
                        return Err(Undelivered::in_flight(failed.error()).into());
                    };
                    request = back;
                    if link.number == group.first.number {
                        spent = link.number;
                    } else {
                        group.remove(&link);
                    }
                }
            }
        }
        let reason = "one connection after the other closed before it had sent the call";
        Err(Undelivered::never(reason).into())
    }
}

/// Waits no longer than the call may take.
async fn by<T>(
    deadline: Option<Deadline>,
    waited_for: impl Future<Output = T>,
) -> Result<T, TooLate> {
    let Some(deadline) = deadline else {
        return Ok(waited_for.await);
    };
    let waited = timeout_at(deadline.instant(), waited_for).await;
    waited.map_err(|_| TooLate::new("deadline exceeded while waiting for a connection"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_body_util::Full;

    // glibc keeps blocks of up to 1032 bytes at hand; larger ones it searches and merges.
    #[test]
    fn the_future_of_a_call_is_a_small_block() {
        const fn of<A, B, C, F>(_: &impl Fn(A, B, C) -> F) -> usize {
            size_of::<F>()
        }
        let size = of(&deliver::<Full<Bytes>>);
        assert!(size <= 900, "{size} bytes");
    }
}
