//! Waiting for a permit: in order, not for long, and never beyond the deadline.

use super::{
    MILLISECOND, SECOND,
    backend::{Held, cause, layer},
    settings,
};
use http::{Request, Response};
use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::{sync::Semaphore, time};
use tokio_test::{assert_pending, assert_ready, task};
use tower::{Layer, Service, ServiceExt, service_fn};
use ziggurat_concurrency::{Algorithm, Cause, ConcurrencyLayer, Settings, Window};
use ziggurat_core::{BoxError, CallOptions, Code, Http, Live, error};
use ziggurat_testkit::{Gate, HttpScript, Step, Strict};

fn patient(limit: u32) -> Settings {
    let settings = settings(limit).queue(100).unwrap();
    settings.wait(SECOND, SECOND).unwrap()
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_served_in_order() {
    let (held, layer) = (Held::default(), layer(patient(1)));
    let service = held.within(&layer);
    let mut calls: Vec<_> = (0..5)
        .map(|n| task::spawn(service.clone().oneshot(n)))
        .collect();
    for call in &mut calls {
        assert_pending!(call.poll());
    }
    let handle = layer.handle();
    assert_eq!((handle.in_flight(), handle.waiting()), (1, 4));
    for n in 0..5 {
        assert_eq!(held.seen(), [n]);
        held.answer(n);
        assert!(calls[n as usize].is_woken());
        assert_eq!(assert_ready!(calls[n as usize].poll()).unwrap(), n);
        if let Some(next) = calls.get_mut(n as usize + 1) {
            assert!(next.is_woken());
            assert_pending!(next.poll());
        }
    }
    assert_eq!((handle.in_flight(), handle.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn who_was_given_a_permit_and_is_dropped_hands_it_on() {
    let (held, layer) = (Held::default(), layer(patient(1)));
    let service = held.within(&layer);
    let mut calls: Vec<_> = (0..4)
        .map(|n| task::spawn(service.clone().oneshot(n)))
        .collect();
    for call in &mut calls {
        assert_pending!(call.poll());
    }
    // The third gives up while it waits, the second when its turn has come.
    drop(calls.remove(2));
    drop(calls.remove(0));
    assert!(calls[0].is_woken());
    drop(calls.remove(0));
    assert!(calls[0].is_woken());
    assert_pending!(calls[0].poll());
    assert_eq!(held.seen(), [0, 3]);
    drop(calls);
    let handle = layer.handle();
    assert_eq!((handle.in_flight(), handle.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_settings_let_it() {
    let (held, layer) = (Held::default(), layer(settings(1).queue(9).unwrap()));
    let service = held.within(&layer);
    let mut first = task::spawn(service.clone().oneshot(0));
    assert_pending!(first.poll());
    let start = time::Instant::now();
    let waited = service.clone().oneshot(1).await;
    assert_eq!(cause(&waited), Some(Cause::Waited));
    assert_eq!(start.elapsed(), 100 * MILLISECOND);
    // The queue has been standing: from now on it is the target.
    assert_eq!(cause(&service.oneshot(2).await), Some(Cause::Waited));
    assert_eq!(start.elapsed(), 105 * MILLISECOND);
    assert_eq!(layer.handle().waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_beyond_its_deadline_and_it_is_told_so() {
    let layer = ConcurrencyLayer::new(patient(1)).classify_with(Http);
    let service = layer.layer(service_fn(|_: Request<()>| {
        pending::<Result<Response<String>, BoxError>>()
    }));
    let request = |timeout| {
        let mut request = Request::new(());
        request
            .extensions_mut()
            .insert(CallOptions::new().timeout(timeout));
        request
    };
    let mut first = task::spawn(service.clone().oneshot(request(SECOND)));
    assert_pending!(first.poll());
    let start = time::Instant::now();
    for (timeout, elapsed) in [(50, 50), (0, 50)] {
        let error = service
            .clone()
            .oneshot(request(timeout * MILLISECOND))
            .await;
        assert_eq!(cause(&error), Some(Cause::Deadline));
        assert_eq!(
            error::code(&*error.unwrap_err()),
            Some(Code::DeadlineExceeded)
        );
        assert_eq!(start.elapsed(), elapsed * MILLISECOND);
    }
    // Its turn comes in time, but its task runs too late.
    let mut late = task::spawn(service.oneshot(request(50 * MILLISECOND)));
    assert_pending!(late.poll());
    drop(first);
    time::advance(60 * MILLISECOND).await;
    assert_eq!(cause(&assert_ready!(late.poll())), Some(Cause::Deadline));
    assert_eq!(layer.handle().in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_has_its_permit_waits_for_the_service_no_longer_than_its_deadline() {
    let layer = ConcurrencyLayer::new(patient(1)).classify_with(Http);
    let gate = Gate::default();
    let inner = Strict::new(|_: Request<()>| pending::<Result<Response<String>, BoxError>>());
    let service = layer.layer(inner.gate(&gate));
    let mut first = service.clone();
    let mut first = task::spawn(first.ready().await.unwrap().call(Request::new(())));
    assert_pending!(first.poll());
    let mut request = Request::new(());
    let options = CallOptions::new().timeout(50 * MILLISECOND);
    request.extensions_mut().insert(options);
    let mut second = service.clone();
    let mut waiting = task::spawn(second.ready().await.unwrap().call(request));
    assert_pending!(waiting.poll());
    gate.close();
    drop(first);
    assert_pending!(waiting.poll());
    assert_eq!(layer.handle().in_flight(), 1);
    let start = time::Instant::now();
    let result = time::timeout(SECOND, waiting).await.unwrap();
    assert_eq!(cause(&result), Some(Cause::Deadline));
    assert_eq!(start.elapsed(), 50 * MILLISECOND);
    assert_eq!(layer.handle().in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_waits_here_keeps_nothing_of_the_inner_service() {
    let permits = Arc::new(Semaphore::new(2));
    let layer = layer(patient(1));
    let gate = Gate::default();
    let inner = Strict::new(|n: u32| async move {
        if n == 0 {
            pending::<()>().await;
        }
        Ok::<_, BoxError>(n)
    });
    let service = layer.layer(inner.permits(Arc::clone(&permits)).gate(&gate));
    let mut first = service.clone();
    let mut first = task::spawn(first.ready().await.unwrap().call(0));
    assert_pending!(first.poll());
    let mut second = service.clone();
    let mut waiting = task::spawn(second.ready().await.unwrap().call(1));
    assert_pending!(waiting.poll());
    assert_eq!(permits.available_permits(), 1);
    // With its permit it readies the service, which may take its time, or fail.
    gate.close();
    drop(first);
    assert_pending!(waiting.poll());
    assert_eq!(layer.handle().in_flight(), 1);
    gate.open();
    assert_eq!(assert_ready!(waiting.poll()).unwrap(), 1);
    assert_eq!(
        (permits.available_permits(), layer.handle().in_flight()),
        (2, 0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_that_come_wait_and_give_up_lose_no_permit_and_never_exceed_the_limit() {
    let layer = layer(patient(3));
    let (within, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let peak = Arc::clone(&most);
    let service = layer.layer(service_fn(move |n: u32| {
        let inside = Inside::new(&within);
        peak.fetch_max(within.load(Ordering::SeqCst), Ordering::SeqCst);
        async move {
            let _inside = inside;
            tokio::task::yield_now().await;
            Ok::<_, BoxError>(n)
        }
    }));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..16_u32 {
        tasks.spawn(hammer(service.clone(), task));
    }
    tasks.join_all().await;
    let handle = layer.handle();
    assert_eq!((handle.in_flight(), handle.waiting()), (0, 0));
    let most = most.load(Ordering::SeqCst);
    assert!((1..=3).contains(&most), "{most}");
}

/// Calls it, and now and then gives up soon.
async fn hammer<S>(service: S, task: u32)
where
    S: Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    for call in 0..200_u32 {
        let answer = service.clone().oneshot(call);
        if (call + task).is_multiple_of(5) {
            let _ = time::timeout(MILLISECOND / 50, answer).await;
        } else {
            let _ = answer.await;
        }
    }
}

/// Counts a call for as long as its future is there.
struct Inside(Arc<AtomicU32>);

impl Inside {
    fn new(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_was_raised_serves_who_waits_before_whoever_comes_next() {
    let (setter, live) = Live::channel(patient(1));
    let (held, layer) = (Held::default(), layer(live));
    let service = held.within(&layer);
    let mut calls: Vec<_> = (0..2)
        .map(|n| task::spawn(service.clone().oneshot(n)))
        .collect();
    for call in &mut calls {
        assert_pending!(call.poll());
    }
    setter.set(patient(2));
    let mut next = task::spawn(service.clone().oneshot(2));
    assert_pending!(next.poll());
    assert!(calls[1].is_woken());
    assert_pending!(calls[1].poll());
    assert_eq!(held.seen(), [0, 1]);
    let handle = layer.handle();
    assert_eq!((handle.in_flight(), handle.waiting()), (2, 1));
}

/// One more after every window.
#[derive(Clone)]
struct Growing(u32);

impl Algorithm for Growing {
    fn limit(&self) -> u32 {
        self.0
    }

    fn update(&mut self, _: &Window) -> u32 {
        self.0 += 1;
        self.0
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_was_found_to_be_higher_lets_in_who_waits_while_streams_go_on() {
    let settings = patient(100).window(MILLISECOND).unwrap();
    let layer = ConcurrencyLayer::new(settings).adaptive(Growing(12));
    let script = HttpScript::new([Step::hanging_body().after(2 * MILLISECOND)]);
    let service = layer.layer(script.clone());
    let request = || Request::new(http_body_util::Empty::<bytes::Bytes>::new());
    let mut calls: Vec<_> = (0..13)
        .map(|_| task::spawn(service.clone().oneshot(request())))
        .collect();
    for call in &mut calls {
        assert_pending!(call.poll());
    }
    let handle = layer.handle();
    assert_eq!((handle.in_flight(), handle.waiting()), (12, 1));
    let mut waiting = calls.pop().unwrap();
    let mut streams = Vec::new();
    // The first of them begins the window.
    for call in &mut calls {
        time::sleep(2 * MILLISECOND).await;
        streams.push(assert_ready!(call.poll()).unwrap());
    }
    assert!(waiting.is_woken());
    assert_pending!(waiting.poll());
    assert_eq!((handle.in_flight(), handle.waiting()), (13, 0));
}
