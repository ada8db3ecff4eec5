//! A response body that may panic on its way.

use super::{Panicked, panicked::catch};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    sync::OnceLock,
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
        // That it panicked over a question, which has no error for an answer: the next poll tells.
        over: OnceLock<Box<Panicked>>,
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
        Self {
            inner: Some(inner),
            over: OnceLock::new(),
        }
    }

    /// What the inner body says, unless it panics.
    fn ask<T>(&self, question: impl FnOnce(&B) -> T) -> Option<T> {
        let whole = self.over.get().is_none();
        let inner = self.inner.as_ref().filter(|_| whole)?;
        let answer = catch(|| question(inner));
        answer
            .map_err(|panicked| self.over.set(Box::new(panicked)))
            .ok()
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
        let this = self.project();
        let mut inner = this.inner;
        if let Some(panicked) = this.over.take() {
            let _it_may_panic_again = catch(|| inner.set(None));
            return Poll::Ready(Some(Err(panicked)));
        }
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
        // One that panicked has an error to come.
        let over = || self.inner.is_none();
        self.ask(B::is_end_stream).unwrap_or_else(over)
    }

    fn size_hint(&self) -> SizeHint {
        let rest = || match self.inner {
            Some(_) => SizeHint::default(),
            None => SizeHint::with_exact(0),
        };
        self.ask(B::size_hint).unwrap_or_else(rest)
    }
}
