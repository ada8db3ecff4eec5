//! A limit for each endpoint: who is full is busy, and says when it is not.

use super::settings;
use std::task::{Context, Poll};
use tokio_test::{assert_pending, assert_ready, assert_ready_ok, task};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use ziggurat_concurrency::{Aimd, Bounded, EndpointLayer, Full};
use ziggurat_core::{
    Availability, ByResult, Code, Endpoint, EndpointId, Instance, Rejection, Sent, error,
};

/// An endpoint that never answers.
#[derive(Clone)]
struct Silent(EndpointId, Availability);

impl Endpoint for Silent {
    fn id(&self) -> &EndpointId {
        &self.0
    }

    fn availability(&self) -> &Availability {
        &self.1
    }
}

impl Service<u32> for Silent {
    type Response = u32;
    type Error = BoxError;
    type Future = std::future::Pending<Result<u32, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: u32) -> Self::Future {
        std::future::pending()
    }
}

type Silenced = Bounded<Silent, ByResult>;

async fn endpoints<const N: usize>(limit: u32) -> [Silenced; N] {
    let connect = service_fn(|instance: Instance| async move {
        Ok::<_, BoxError>(Silent(instance.id().clone(), Availability::new()))
    });
    let layer = EndpointLayer::new(settings(limit)).classify_with(ByResult);
    let mut connector = layer.layer(connect);
    let mut made = Vec::new();
    for name in 0..N {
        let at = Instance::new("users", &format!("e{name}"), "localhost", 80).unwrap();
        made.push(connector.ready().await.unwrap().call(at).await.unwrap());
    }
    made.try_into().ok().unwrap()
}

type Asking = task::Spawn<Silenced>;

fn poll_ready(asking: &mut Asking) -> Poll<Result<(), BoxError>> {
    asking.enter(|cx, mut endpoint| endpoint.poll_ready(cx))
}

fn call(asking: &mut Asking) -> <Silenced as Service<u32>>::Future {
    asking.enter(|_, mut endpoint| endpoint.call(1))
}

#[tokio::test(start_paused = true)]
async fn each_endpoint_has_a_limit_of_its_own_and_a_full_one_is_busy() {
    let [one, other] = endpoints(1).await;
    let mut first = task::spawn(one.clone());
    assert_ready_ok!(poll_ready(&mut first));
    let held = call(&mut first);
    let mut second = task::spawn(one.clone());
    assert_pending!(poll_ready(&mut second));
    assert_ready_ok!(poll_ready(&mut task::spawn(other.clone())));
    assert!(one.availability().is_ready(), "busy is not ill");
    drop(held);
    assert!(second.is_woken());
    assert_ready_ok!(poll_ready(&mut second));
    assert_eq!(
        (one.handle().in_flight(), other.handle().in_flight()),
        (0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn who_was_told_of_room_and_goes_elsewhere_tells_the_next() {
    let [one] = endpoints(1).await;
    let mut first = task::spawn(one.clone());
    assert_ready_ok!(poll_ready(&mut first));
    let held = call(&mut first);
    let mut asking: Vec<_> = (0..3).map(|_| task::spawn(one.clone())).collect();
    for asking in &mut asking {
        assert_pending!(poll_ready(asking));
    }
    drop(held);
    // It was told, and has looked; it was told, and did not even look.
    let mut told = asking.remove(0);
    assert!(told.is_woken() && !asking[0].is_woken());
    assert_ready_ok!(poll_ready(&mut told));
    drop(told);
    assert!(asking[0].is_woken() && !asking[1].is_woken());
    drop(asking.remove(0));
    assert!(asking[0].is_woken());
    assert_ready_ok!(poll_ready(&mut asking[0]));
    let _held = call(&mut asking[0]);
    assert_eq!(one.handle().in_flight(), 1);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_who_are_ready_and_call_nothing_take_nothing() {
    let [one] = endpoints(1).await;
    for _ in 0..10_000 {
        assert_ready_ok!(poll_ready(&mut task::spawn(one.clone())));
    }
    assert_eq!(one.handle().in_flight(), 0);
    assert_ready_ok!(poll_ready(&mut task::spawn(one)));
}

#[tokio::test(start_paused = true)]
async fn who_is_outrun_was_never_sent_and_may_go_elsewhere() {
    let [one] = endpoints(1).await;
    let (mut quick, mut slow) = (task::spawn(one.clone()), task::spawn(one));
    assert_ready_ok!(poll_ready(&mut quick));
    assert_ready_ok!(poll_ready(&mut slow));
    let _held = call(&mut quick);
    let error = assert_ready!(task::spawn(call(&mut slow)).poll()).unwrap_err();
    assert!(error::find::<Full>(&*error).is_some());
    let rejection = error::find::<Rejection>(&*error).unwrap();
    assert_eq!(rejection.code(), Code::Unavailable);
    assert_eq!(
        (rejection.sent(), rejection.is_decision()),
        (Sent::Never, false)
    );
}

/// An endpoint that has no room.
#[derive(Clone)]
struct Refusing(Silent);

impl Endpoint for Refusing {
    fn id(&self) -> &EndpointId {
        self.0.id()
    }

    fn availability(&self) -> &Availability {
        self.0.availability()
    }
}

impl Service<u32> for Refusing {
    type Response = u32;
    type Error = BoxError;
    type Future = std::future::Ready<Result<u32, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: u32) -> Self::Future {
        let refused = Rejection::decided(Code::ResourceExhausted, "no room");
        std::future::ready(Err(refused.with_sent(Sent::Unknown).into()))
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_says_it_has_no_room_is_sent_less() {
    let connect = service_fn(|instance: Instance| async move {
        let silent = Silent(instance.id().clone(), Availability::new());
        Ok::<_, BoxError>(Refusing(silent))
    });
    for (heeds, least, most) in [(true, 1, 15), (false, 20, 20)] {
        let layer = EndpointLayer::new(settings(100)).adaptive(Aimd::new());
        let layer = match heeds {
            true => layer,
            false => layer.heed_refusals(false),
        };
        let connector = layer.classify_with(ByResult).layer(connect);
        let at = Instance::new("users", "e", "localhost", 80).unwrap();
        let endpoint = connector.oneshot(at).await.unwrap();
        for _ in 0..100 {
            endpoint.clone().oneshot(1).await.unwrap_err();
            tokio::time::sleep(super::SECOND / 50).await;
        }
        let limit = endpoint.handle().limit();
        assert!((least..=most).contains(&limit), "{heeds}: {limit}");
    }
}
