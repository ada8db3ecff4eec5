//! A response body that may be slow, or break off.

use crate::{Injected, pace::Flow};
use bytes::Buf;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};
use ziggurat_core::BoxError;

pin_project! {
    /// A response body that may be slow, or break off with [`Injected`].
    #[derive(Debug)]
    pub struct Body<B> {
        // `None`: the call was aborted, or the body broke off.
        #[pin]
        inner: Option<B>,
        flow: Option<Box<Flow>>,
    }
}

// === impl Body ===

impl<B> Body<B> {
    pub(crate) const fn new(inner: B, flow: Option<Box<Flow>>) -> Self {
        Self {
            inner: Some(inner),
            flow,
        }
    }

    pub(crate) const fn empty() -> Self {
        Self {
            inner: None,
            flow: None,
        }
    }
}

/// A body without faults, as interceptors make for answers of their own.
impl<B: Default> Default for Body<B> {
    fn default() -> Self {
        Self::new(B::default(), None)
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
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let Some(flow) = this.flow else {
            return inner.poll_frame(cx).map_err(Into::into);
        };
        // What came before must have been sent before anything else comes, be it the end.
        ready!(flow.poll_sent(cx));
        let polled = ready!(inner.poll_frame(cx));
        match &polled {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Buf::remaining);
                if !flow.admit(bytes) {
                    *this.flow = None;
                    // Dropped now, so that the server hears of it whatever the reader does next.
                    this.inner.set(None);
                    return Poll::Ready(Some(Err(Injected::new().into())));
                }
            }
            Some(Err(_)) | None => *this.flow = None,
        }
        Poll::Ready(polled.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        let paced = self.flow.as_ref().is_some_and(|flow| flow.is_sending());
        !paced && self.inner.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.inner, &self.flow) {
            (None, _) => SizeHint::with_exact(0),
            (Some(inner), None) => inner.size_hint(),
            // The rest may never come.
            (Some(_), Some(_)) => SizeHint::default(),
        }
    }
}
