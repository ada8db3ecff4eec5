//! Calls that last as long as a test wants, and what it asks of a limit around them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::oneshot, time};
use tower::{BoxError, Layer, Service, service_fn};
use ziggurat_concurrency::{Cause, Concurrency, ConcurrencyLayer, Full, Settings};
use ziggurat_core::{ByResult, Live, error};

pub(crate) fn layer(settings: impl Into<Live<Settings>>) -> ConcurrencyLayer<ByResult> {
    ConcurrencyLayer::new(settings).classify_with(ByResult)
}

/// Why a call was not sent, if that is what became of it.
pub(crate) fn cause<T>(result: &Result<T, BoxError>) -> Option<Cause> {
    let error = result.as_ref().err()?;
    error::find::<Full>(&**error).map(Full::cause)
}

/// Holds every call until it is told to answer; in the order in which they came.
#[derive(Clone, Default)]
pub(crate) struct Held(Arc<Mutex<Vec<(u32, oneshot::Sender<()>)>>>);

impl Held {
    pub(crate) fn within<P>(
        &self,
        layer: &ConcurrencyLayer<ByResult, P>,
    ) -> Concurrency<
        impl Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + Send + 'static,
        ByResult,
        P,
    >
    where
        P: Clone,
    {
        let Self(calls) = self.clone();
        layer.layer(service_fn(move |request| {
            let (tell, heard) = oneshot::channel();
            calls.lock().unwrap().push((request, tell));
            async move {
                heard.await?;
                Ok(request)
            }
        }))
    }

    /// The calls that are under way or were, in the order in which they came.
    pub(crate) fn seen(&self) -> Vec<u32> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .map(|(name, _)| *name)
            .collect()
    }

    pub(crate) fn answer(&self, request: u32) {
        let mut calls = self.0.lock().unwrap();
        let at = calls.iter().position(|(name, _)| *name == request).unwrap();
        let (_, tell) = calls.remove(at);
        tell.send(()).unwrap();
    }
}

/// Serves so many at once, each for 10 ms, and lets the others wait: the more come, the slower.
pub(crate) fn server(
    capacity: usize,
) -> impl Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + Send + 'static {
    let seats = Arc::new(tokio::sync::Semaphore::new(capacity));
    service_fn(move |request| {
        let seats = Arc::clone(&seats);
        async move {
            let _seat = seats.acquire().await?;
            time::sleep(Duration::from_millis(10)).await;
            Ok(request)
        }
    })
}
