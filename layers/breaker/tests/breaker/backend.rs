//! A service that can be broken and mended, and what the tests ask of a breaker around it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tower::{BoxError, Service, ServiceExt};
use ziggurat_breaker::{BreakerLayer, Handle, Open, Settings, State};
use ziggurat_core::{ByResult, Live, error};
use ziggurat_testkit::{Counting, Gauge, Strict};

pub(crate) fn layer(settings: impl Into<Live<Settings>>) -> BreakerLayer<ByResult> {
    BreakerLayer::new(settings).classify_with(ByResult)
}

/// A service that can be broken and mended.
#[derive(Clone, Default)]
pub(crate) struct Backend(Arc<AtomicBool>);

impl Backend {
    pub(crate) fn breaks(&self, broken: bool) {
        self.0.store(broken, Ordering::Relaxed);
    }

    pub(crate) fn service(
        &self,
    ) -> (
        Counting<
            impl Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + Send + 'static,
        >,
        Gauge,
    ) {
        let Self(broken) = self.clone();
        Counting::new(Strict::new(move |request: u32| {
            let broken = broken.load(Ordering::Relaxed);
            async move {
                match broken {
                    true => Err("broken".into()),
                    false => Ok(request),
                }
            }
        }))
    }
}

pub(crate) async fn open_up<S>(service: &S, handle: &Handle)
where
    S: Service<u32, Response = u32, Error = BoxError> + Clone,
{
    while handle.state() == State::Closed {
        service.clone().oneshot(0).await.unwrap_err();
    }
}

pub(crate) fn is_open<T>(result: &Result<T, BoxError>) -> bool {
    result
        .as_ref()
        .is_err_and(|error| error::find::<Open>(&**error).is_some())
}
