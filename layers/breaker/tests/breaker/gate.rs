//! A circuit below a balance: what it decides is what may be picked.

use super::{MINUTE, SECOND, backend::Backend, five_for_a_minute};
use std::{
    convert::Infallible,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn, util::BoxCloneSyncService};
use ziggurat_breaker::{GateLayer, Gated, Settings};
use ziggurat_core::{Availability, ByResult, Endpoint, EndpointId, Instance, State};

/// So that a timer that is due at the same moment has run.
const MILLISECOND: Duration = Duration::from_millis(1);

/// An endpoint whose server can be broken.
#[derive(Clone, Debug)]
struct Server {
    id: EndpointId,
    availability: Availability,
    inner: BoxCloneSyncService<u32, u32, BoxError>,
}

impl Endpoint for Server {
    fn id(&self) -> &EndpointId {
        &self.id
    }

    fn availability(&self) -> &Availability {
        &self.availability
    }
}

impl Service<u32> for Server {
    type Response = u32;
    type Error = BoxError;
    type Future = <BoxCloneSyncService<u32, u32, BoxError> as Service<u32>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: u32) -> Self::Future {
        self.inner.call(request)
    }
}

async fn gated(settings: Settings, backend: &Backend) -> Gated<Server, ByResult> {
    let backend = backend.clone();
    let connector = service_fn(move |instance: Instance| {
        let backend = backend.clone();
        let inner = service_fn(move |request: u32| {
            let backend = backend.clone();
            async move {
                let (service, _) = backend.service();
                service.oneshot(request).await
            }
        });
        let server = Server {
            id: instance.id().clone(),
            availability: Availability::new(),
            inner: BoxCloneSyncService::new(inner),
        };
        std::future::ready(Ok::<_, Infallible>(server))
    });
    let layer = GateLayer::new(settings).classify_with(ByResult);
    let instance = Instance::new("users", "a", "localhost", 80).unwrap();
    layer.layer(connector).oneshot(instance).await.unwrap()
}

async fn break_it(endpoint: &Gated<Server, ByResult>) {
    for call in 0..5 {
        assert!(endpoint.availability().is_ready());
        endpoint.clone().oneshot(call).await.unwrap_err();
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_makes_its_endpoint_unpickable_until_a_probe_is_due() {
    let backend = Backend::default();
    backend.breaks(true);
    let endpoint = gated(five_for_a_minute(), &backend).await;
    break_it(&endpoint).await;
    assert_eq!(endpoint.availability().state(), State::Ejected);
    time::sleep(MINUTE - SECOND).await;
    assert_eq!(endpoint.availability().state(), State::Ejected);
    time::sleep(SECOND + MILLISECOND).await;
    assert!(endpoint.availability().is_ready());
    // The probe fails: another minute.
    endpoint.clone().oneshot(0).await.unwrap_err();
    assert_eq!(endpoint.availability().state(), State::Ejected);
    time::sleep(MINUTE + MILLISECOND).await;
    backend.breaks(false);
    // Two probes succeed, one after the other.
    for _ in 0..2 {
        assert!(endpoint.availability().is_ready());
        endpoint.clone().oneshot(0).await.unwrap();
    }
    assert!(endpoint.availability().is_ready());
    time::sleep(10 * MINUTE).await;
    assert!(endpoint.availability().is_ready());
}

#[tokio::test(start_paused = true)]
async fn while_its_probe_is_under_way_it_is_not_picked() {
    let backend = Backend::default();
    backend.breaks(true);
    let settings = five_for_a_minute().probe_timeout(10 * SECOND).unwrap();
    let mut endpoint = gated(settings, &backend).await;
    break_it(&endpoint).await;
    time::sleep(MINUTE + MILLISECOND).await;
    let probe = endpoint.ready().await.unwrap().call(0);
    assert_eq!(endpoint.availability().state(), State::Ejected);
    // One that is dropped gives its place back.
    drop(probe);
    assert!(endpoint.availability().is_ready());
    // One that hangs makes room for another.
    let hung = endpoint.ready().await.unwrap().call(0);
    time::sleep(9 * SECOND).await;
    assert_eq!(endpoint.availability().state(), State::Ejected);
    time::sleep(SECOND + MILLISECOND).await;
    assert!(endpoint.availability().is_ready());
    drop(hung);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_comes_all_the_same_is_passed_on_and_counts_for_nothing() {
    let backend = Backend::default();
    backend.breaks(true);
    let endpoint = gated(five_for_a_minute(), &backend).await;
    break_it(&endpoint).await;
    backend.breaks(false);
    for call in 0..10 {
        assert_eq!(endpoint.clone().oneshot(call).await.unwrap(), call);
    }
    assert_eq!(endpoint.availability().state(), State::Ejected);
}

#[tokio::test(start_paused = true)]
async fn no_timer_outlives_the_endpoint() {
    let backend = Backend::default();
    backend.breaks(true);
    let endpoint = gated(five_for_a_minute(), &backend).await;
    let before = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    break_it(&endpoint).await;
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    assert_eq!(tasks(), before + 1);
    drop(endpoint);
    tokio::task::yield_now().await;
    assert_eq!(tasks(), before);
}

/// Its timer would have run where it was made.
#[test]
fn one_that_was_made_in_a_runtime_that_is_gone_comes_back_too() {
    let runtime = || {
        let builder = &mut tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap()
    };
    let backend = Backend::default();
    backend.breaks(true);
    let endpoint = runtime().block_on(gated(five_for_a_minute(), &backend));
    runtime().block_on(async {
        break_it(&endpoint).await;
        assert_eq!(endpoint.availability().state(), State::Ejected);
        time::sleep(MINUTE + MILLISECOND).await;
        assert!(endpoint.availability().is_ready());
    });
}
