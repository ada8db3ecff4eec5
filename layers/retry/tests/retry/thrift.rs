//! What a call does not do that needs no second attempt.

use crate::kit::*;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use std::{
    future::{self, Ready},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};
use tower::{Layer, Service, ServiceExt};
use ziggurat_core::BoxError;
use ziggurat_retry::{ReplayBody, RetryLayer};
use ziggurat_testkit::ScriptBody;

/// How often it was cloned.
#[derive(Default)]
struct Copied(Arc<AtomicUsize>);

/// Fails the first so many calls, and remembers which mark each came to.
#[derive(Clone, Default)]
struct Marked {
    mark: u32,
    copied: Copied,
    fails: Arc<AtomicUsize>,
    marks: Arc<Mutex<Vec<u32>>>,
}

impl Clone for Copied {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, Relaxed);
        Self(Arc::clone(&self.0))
    }
}

impl Service<Request<ReplayBody<Full<Bytes>>>> for Marked {
    type Response = Response<ScriptBody>;
    type Error = BoxError;
    type Future = Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<ReplayBody<Full<Bytes>>>) -> Self::Future {
        self.marks.lock().unwrap().push(self.mark);
        let fails = self
            .fails
            .fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        future::ready(Ok(answer(if fails.is_ok() { "14" } else { "0" })))
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_can_be_sent_only_once_is_not_cloned() {
    for (limit, clones) in [(9, 0), (10, 1)] {
        let inner = server(|_| future::ready(Ok(answer("0"))));
        let layer = RetryLayer::new(settings().replay_limit(limit));
        let copied = Copied::default();
        let mut request = post();
        request
            .extensions_mut()
            .insert(Copied(Arc::clone(&copied.0)));
        layer.layer(inner).oneshot(request).await.unwrap();
        assert_eq!(copied.0.load(Relaxed), clones, "{limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_service_is_cloned_before_an_attempt_has_failed() {
    let inner = Marked::default();
    let mut service = RetryLayer::new(settings()).layer(inner.clone());
    let clones = || inner.copied.0.load(Relaxed);
    let before = clones();
    for _ in 0..100 {
        ready(&mut service).await.call(post()).await.unwrap();
    }
    assert_eq!(clones(), before);
    inner.fails.store(2, Relaxed);
    ready(&mut service).await.call(post()).await.unwrap();
    // One makes all attempts after the first.
    assert_eq!(clones(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_was_changed_makes_the_later_attempts_too() {
    let inner = Marked::default();
    let mut service = RetryLayer::new(settings()).layer(inner.clone());
    service.get_mut().mark = 7;
    for mut service in [service.clone(), service] {
        inner.fails.store(1, Relaxed);
        ready(&mut service).await.call(post()).await.unwrap();
    }
    assert_eq!(*inner.marks.lock().unwrap(), [7, 7, 7, 7]);
}
