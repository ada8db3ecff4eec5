//! The future of the connector.

use super::{ActiveLayer, Monitored, ask::Ask, watcher::Watcher};
use bytes::{Buf, Bytes};
use http::{Request, Response};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{runtime::Handle, task::JoinSet};
use tower_service::Service;
use ziggurat_core::{BoxError, Endpoint};

pin_project! {
    /// The answer of [`Active`](super::Active): an endpoint that is asked how it does.
    #[must_use = "futures do nothing unless polled"]
    pub struct ConnectFuture<C, F> {
        #[pin]
        inner: C,
        // Taken when the endpoint is there.
        parts: Option<(Arc<str>, ActiveLayer<F>)>,
    }
}

// === impl ConnectFuture ===

impl<C, F> ConnectFuture<C, F> {
    pub(super) const fn new(inner: C, service: Arc<str>, layer: ActiveLayer<F>) -> Self {
        Self {
            inner,
            parts: Some((service, layer)),
        }
    }
}

impl<C, F, E, Err, B, A> Future for ConnectFuture<C, F>
where
    C: Future<Output = Result<E, Err>>,
    E: Endpoint + Service<Request<B>, Response = Response<A>>,
    E::Error: Into<BoxError>,
    E::Future: Send,
    F: Fn(Bytes) -> B + Send + Sync + 'static,
    B: Send + 'static,
    A: http_body::Body + Send + 'static,
    A::Data: Buf + Send,
    A::Error: Into<BoxError>,
{
    type Output = Result<Monitored<E>, Err>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let endpoint = ready!(this.inner.poll(cx))?;
        let Some((service, layer)) = this.parts.take() else {
            // Polled after completion, which a future may answer as it likes.
            return Poll::Pending;
        };
        let runtime = Handle::try_current().ok();
        let task = runtime.filter(|_| !layer.questions.are_none());
        let task = task.map(|runtime| {
            let watcher = Watcher {
                service,
                availability: endpoint.availability().clone(),
                id: endpoint.id().clone(),
                questions: layer.questions,
                dice: layer.dice,
                observer: layer.observer,
            };
            // Nobody picks it before its first answer.
            watcher.begin(watcher.questions.now().as_ref());
            let ask = Ask::new(endpoint.clone(), layer.body);
            let mut task = JoinSet::new();
            task.spawn_on(watcher.run(ask), &runtime);
            task
        });
        Poll::Ready(Ok(Monitored::new(endpoint, task)))
    }
}

impl<C, F> fmt::Debug for ConnectFuture<C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectFuture").finish_non_exhaustive()
    }
}
