//! The other side of it: a server that says how loaded it is.

use crate::LoadReport;
use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tower_layer::Layer;
use tower_service::Service;
use ziggurat_core::grpc;

/// Has a gRPC server say at the end of every answer how loaded it is, for clients that
/// [weigh by it](crate::RoundRobin::by_load).
///
/// `report` is asked when an answer ends: for a number that somebody else keeps up to date, not for a
/// measurement. An answer that has a report, or no trailers, is left alone. Nothing else changes: not
/// readiness, not errors; clones share `report`.
///
/// ```
/// use tower::{Layer, ServiceBuilder};
/// use ziggurat_balance::{LoadReport, ReportLayer};
///
/// # fn qps() -> f64 { 100.0 }
/// # fn used() -> f64 { 0.4 }
/// let reporting = ReportLayer::new(|| LoadReport::new(qps()).cpu_utilization(used()));
/// let layers = ServiceBuilder::new().layer(reporting);
/// # drop(layers);
/// ```
#[derive(Clone)]
pub struct ReportLayer<F> {
    report: F,
}

/// A server that says how loaded it is.
#[derive(Clone)]
pub struct Report<S, F> {
    inner: S,
    report: F,
}

pin_project! {
    /// The answer of a [`Report`], to come.
    #[must_use = "futures do nothing unless polled"]
    pub struct ReportFuture<T, F> {
        #[pin]
        inner: T,
        report: F,
    }
}

pin_project! {
    /// A body that has a report in its trailers.
    pub struct ReportBody<B, F> {
        #[pin]
        inner: B,
        report: Option<F>,
    }
}

// === impl ReportLayer ===

impl<F: Fn() -> LoadReport> ReportLayer<F> {
    /// Says what `report` does.
    #[must_use]
    pub const fn new(report: F) -> Self {
        Self { report }
    }
}

impl<S, F: Clone> Layer<S> for ReportLayer<F> {
    type Service = Report<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        Report {
            inner,
            report: self.report.clone(),
        }
    }
}

impl<F> fmt::Debug for ReportLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportLayer").finish_non_exhaustive()
    }
}

// === impl Report ===

impl<S, F, Req, B> Service<Req> for Report<S, F>
where
    S: Service<Req, Response = Response<B>>,
    F: Fn() -> LoadReport + Clone,
{
    type Response = Response<ReportBody<B, F>>;
    type Error = S::Error;
    type Future = ReportFuture<S::Future, F>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        ReportFuture {
            inner: self.inner.call(request),
            report: self.report.clone(),
        }
    }
}

impl<S: fmt::Debug, F> fmt::Debug for Report<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

// === impl ReportFuture ===

impl<T, F, B, E> Future for ReportFuture<T, F>
where
    T: Future<Output = Result<Response<B>, E>>,
    F: Fn() -> LoadReport + Clone,
{
    type Output = Result<Response<ReportBody<B, F>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(cx))?;
        // Its headers are its trailers.
        if response.headers().contains_key(grpc::STATUS) {
            say(response.headers_mut(), this.report);
        }
        let report = Some(this.report.clone());
        Poll::Ready(Ok(response.map(|inner| ReportBody { inner, report })))
    }
}

impl<T, F> fmt::Debug for ReportFuture<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportFuture").finish_non_exhaustive()
    }
}

// === impl ReportBody ===

/// An empty body that says nothing, as interceptors make for answers of their own.
impl<B: Default, F> Default for ReportBody<B, F> {
    fn default() -> Self {
        Self {
            inner: B::default(),
            report: None,
        }
    }
}

impl<B: Body, F: Fn() -> LoadReport> Body for ReportBody<B, F> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let mut frame = ready!(this.inner.poll_frame(cx));
        if let Some(Ok(frame)) = &mut frame
            && let Some(trailers) = frame.trailers_mut()
            && let Some(report) = this.report
        {
            say(trailers, report);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: fmt::Debug, F> fmt::Debug for ReportBody<B, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReportBody")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

fn say(trailers: &mut HeaderMap, report: &impl Fn() -> LoadReport) {
    if !trailers.contains_key(LoadReport::HEADER) {
        trailers.insert(LoadReport::HEADER, report().to_header());
    }
}
