//! What a stack is built with.

use super::CatchPanic;
use tower_layer::Layer;

/// Makes errors of the panics of the services that it wraps.
///
/// It stands inside the [`AnswerLayer`](crate::AnswerLayer), outside of everything that runs code
/// which may panic on what a request says.
///
/// ```
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use ziggurat_answer::{AnswerLayer, CatchPanicLayer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), ziggurat_core::BoxError> {
/// let service = ServiceBuilder::new()
///     .layer(AnswerLayer::new())
///     .layer(CatchPanicLayer::new())
///     .service(service_fn(|request: http::Request<()>| async move {
///         let fits = request.uri().path().len() < 4;
///         assert!(fits, "nobody thought of that");
///         Ok::<_, std::io::Error>(http::Response::new(String::new()))
///     }));
///
/// let request = http::Request::get("/long").body(())?;
/// assert_eq!(service.oneshot(request).await?.status(), 500);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CatchPanicLayer(());

// === impl CatchPanicLayer ===

impl CatchPanicLayer {
    /// Catches every panic of the inner service that can be caught.
    #[must_use]
    pub const fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for CatchPanicLayer {
    type Service = CatchPanic<S>;

    fn layer(&self, inner: S) -> CatchPanic<S> {
        CatchPanic::new(inner)
    }
}
