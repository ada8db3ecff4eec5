//! A response body that may panic on its way.

use super::panicked::catch;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use ziggurat_core::BoxError;

pin_project! {
    /// A response body that fails with [`Panicked`](super::Panicked) when the inner one panics.
    #[derive(Debug)]
    pub struct Body<B> {
        // `None` once it has panicked.
        #[pin]
        inner: Option<B>,
    }

    impl<B> PinnedDrop for Body<B> {
        fn drop(this: Pin<&mut Self>) {
            let _it_may_panic = catch(|| this.project().inner.set(None));
        }
    }
}

// === impl Body ===

impl<B> Body<B> {
    pub(super) const fn new(inner: B) -> Self {
        let inner = Some(inner);
        Self { inner }
    }
}

/// The inner body's default, as interceptors make for answers of their own.
impl<B: Default> Default for Body<B> {
    fn default() -> Self {
        Self::new(B::default())
    }
}

impl<B> http_body::Body for Body<B>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let mut inner = self.project().inner;
        let Some(body) = inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        match catch(|| body.poll_frame(cx)) {
            Ok(polled) => polled.map_err(Into::into),
            Err(panicked) => {
                let _it_may_panic_again = catch(|| inner.set(None));
                Poll::Ready(Some(Err(panicked.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let none = || SizeHint::with_exact(0);
        self.inner.as_ref().map_or_else(none, B::size_hint)
    }
}
