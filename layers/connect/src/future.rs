//! The futures of the connector and of a connection.

use crate::{
    body::Body,
    connection::Connection,
    error::{NoTunnel, TooLate, Undelivered},
    exchange::Hold,
    group::Seat,
    guard::guard,
    keeper::Keeper,
    life::Life,
    link::Opened,
    shared::Shared,
    target,
};
use http::{Method, Request, Response};
use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{runtime::Handle, time::timeout_at};
use tracing::Instrument;
use ziggurat_core::{BoxError, Deadline};

/// Answers a [`Connection`] at its first poll, which starts the task that keeps it connected.
pub struct ConnectFuture<B> {
    start: Option<Result<Start, BoxError>>,
    body: PhantomData<fn(B)>,
}

/// Answers when the head of the response is there.
///
/// Boxed once: what waits for a connection or a stream cannot be named, and a small future is moved
/// through all the layers above.
pub struct ResponseFuture(Pin<Box<Deliver>>);

pub(crate) struct Start {
    pub(crate) shared: Arc<Shared>,
    pub(crate) keeper: Keeper,
}

type Deliver = dyn Future<Output = Result<Response<Body>, BoxError>> + Send;

/// So many connections in a row may close before they have sent a call that they took.
const HANDOVERS: u32 = 8;

// === impl ConnectFuture ===

impl<B> ConnectFuture<B> {
    pub(crate) const fn new(start: Result<Start, BoxError>) -> Self {
        Self {
            start: Some(start),
            body: PhantomData,
        }
    }
}

impl<B> Future for ConnectFuture<B> {
    type Output = Result<Connection<B>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.start.take().map_or(Poll::Pending, |start| {
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

impl Start {
    fn begin<B>(self) -> Result<Connection<B>, BoxError> {
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
    pub(crate) fn new<B>(shared: Arc<Shared>, life: Arc<Life>, request: Request<B>) -> Self
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
    shared: Arc<Shared>,
    life: Arc<Life>,
    mut request: Request<B>,
) -> impl Future<Output = Result<Response<Body>, BoxError>>
where
    B: http_body::Body + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    async move {
        if request.method() == Method::CONNECT {
            return Err(NoTunnel::new().into());
        }
        let deadline = target::deadline(&request);
        let mut spent = 0;
        for _ in 0..HANDOVERS {
            let (group, Seat { link, slot }) = match shared.admit_at_once(spent) {
                Some(admitted) => admitted,
                // Boxed: few calls wait, and all of them have room for this.
                None => Box::pin(by(deadline, shared.admit(spent))).await??,
            };
            if let Some(deadline) = deadline {
                target::stamp(&mut request, deadline, &link.lexicon)?;
            }
            let exchange = match link.open(request, slot) {
                Opened::Sent(exchange) => exchange,
                Opened::Lost(error) => return Err(Undelivered::not_taken(&error).into()),
                // Its place is free when nobody else can take it any more.
                Opened::Back(back, _slot) => {
                    request = back;
                    if link.number == group.first.number {
                        spent = link.number;
                    } else {
                        group.remove(&link);
                    }
                    continue;
                }
            };
            let answered = exchange.await;
            let (mut answer, upload, slot) = answered.map_err(|failed| link.explain(failed))?;
            link.note_answer();
            guard(answer.headers_mut());
            let hold = Hold::new(slot, upload, &link.runtime);
            return Ok(Body::of(answer, hold, life));
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
