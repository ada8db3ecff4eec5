//! One caller in twenty who makes a limit that is found look wrong: what the others lose by it, and that a
//! server which has no room is believed all the same.

use super::{MILLISECOND, SECOND, backend::layer, settings};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Semaphore, task::JoinSet, time};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use ziggurat_concurrency::{Aimd, Algorithm, ConcurrencyLayer, Gradient2, Vegas};
use ziggurat_core::{ByResult, Code, Dice, Rejection, Sent, expire};

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// Of a server that does twenty at once.
    Usual,
    /// Takes a second, and no place of the others.
    Slow,
    /// This caller's quota is used up.
    Quota,
}

/// When the twentieth calls.
#[derive(Clone, Copy, Debug)]
enum Pace {
    Steady,
    /// All of a second's in a fifth of it.
    Bursts,
}

const HASTE: Duration = Duration::from_millis(15);
const PATIENCE: Duration = Duration::from_millis(150);

/// A server whose usual method takes so many milliseconds, as is said when it begins.
fn server(
    takes: &Arc<AtomicU32>,
) -> impl Service<Method, Response = (), Error = BoxError, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static
+ use<> {
    let (takes, seats) = (Arc::clone(takes), Arc::new(Semaphore::new(20)));
    service_fn(move |method| {
        let (takes, seats) = (Arc::clone(&takes), Arc::clone(&seats));
        async move {
            match method {
                Method::Usual => {
                    let _seat = seats.acquire().await?;
                    time::sleep(MILLISECOND * takes.load(Ordering::Relaxed)).await;
                    Ok(())
                }
                Method::Slow => {
                    time::sleep(SECOND).await;
                    Ok(())
                }
                Method::Quota => {
                    time::sleep(MILLISECOND).await;
                    let refused = Rejection::decided(Code::ResourceExhausted, "your quota");
                    Err(refused.with_sent(Sent::Unknown).into())
                }
            }
        }
    })
}

/// Whether it was answered in time.
async fn call<S>(service: S, method: Method, patience: Duration) -> bool
where
    S: Service<Method, Error = BoxError, Future: Send>,
{
    let mut call = Box::pin(service.oneshot(method));
    match time::timeout(patience, &mut call).await {
        Ok(answer) => answer.is_ok(),
        Err(_late) => {
            expire(|| drop(call));
            false
        }
    }
}

/// Eight of the usual calls in five milliseconds, for so many seconds, and beside them one in twenty of an
/// attacker; how many of the usual ones were answered, in the second half.
async fn goodput<S>(service: &S, seconds: u32, attack: Option<(Method, Pace)>) -> u32
where
    S: Service<Method, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let good = Arc::new(AtomicU32::new(0));
    let (mut usual, mut others) = (JoinSet::new(), JoinSet::new());
    for tick in 0..seconds * 1_000 {
        if let Some((method, pace)) = attack
            && pace.calls(tick)
        {
            others.spawn(call(service.clone(), method, HASTE));
        }
        for _ in tick * 8 / 5..(tick + 1) * 8 / 5 {
            let (service, good) = (service.clone(), Arc::clone(&good));
            usual.spawn(async move {
                let answered = call(service, Method::Usual, PATIENCE).await;
                let counts = answered && tick >= seconds * 500;
                good.fetch_add(u32::from(counts), Ordering::Relaxed);
            });
        }
        time::sleep(MILLISECOND).await;
        while usual.try_join_next().is_some() || others.try_join_next().is_some() {}
    }
    usual.join_all().await;
    good.load(Ordering::Relaxed)
}

impl Pace {
    fn calls(self, millisecond: u32) -> bool {
        match self {
            Self::Steady => millisecond.is_multiple_of(12),
            Self::Bursts => millisecond % 1_000 < 200 && millisecond % 12 % 5 < 2,
        }
    }
}

const ATTACKS: [(Method, Pace); 4] = [
    (Method::Slow, Pace::Steady),
    (Method::Slow, Pace::Bursts),
    (Method::Quota, Pace::Steady),
    (Method::Quota, Pace::Bursts),
];

async fn stands(make: impl Fn() -> ConcurrencyLayer<ByResult>) {
    let takes = Arc::new(AtomicU32::new(10));
    let without = goodput(&make().layer(server(&takes)), 6, None).await;
    assert!(without > 4_500, "{without}");
    for attack in ATTACKS {
        let layer = make();
        let with = goodput(&layer.layer(server(&takes)), 6, Some(attack)).await;
        let limit = layer.handle().limit();
        assert!(
            f64::from(with) >= 0.9 * f64::from(without),
            "{attack:?}: {with} of {without}, by a limit of {limit}"
        );
    }
}

fn found(algorithm: impl Algorithm + Clone + Sync) -> ConcurrencyLayer<ByResult> {
    layer(settings(1_000)).adaptive(algorithm)
}

fn vegas() -> Vegas {
    Vegas::new().dice(Dice::seeded(1))
}

#[tokio::test(start_paused = true)]
async fn one_caller_in_twenty_takes_no_room_from_the_others_by_vegas() {
    stands(|| found(vegas())).await;
    stands(|| found(vegas()).heed_refusals(true)).await;
}

#[tokio::test(start_paused = true)]
async fn one_caller_in_twenty_takes_no_room_from_the_others_by_aimd() {
    stands(|| found(Aimd::new())).await;
    stands(|| found(Aimd::new()).heed_refusals(true)).await;
}

#[tokio::test(start_paused = true)]
async fn one_caller_in_twenty_takes_no_room_from_the_others_by_gradient() {
    stands(|| found(Gradient2::new())).await;
}

/// The limit before a server gets ten times as slow, and a second after.
async fn shrinks(algorithm: impl Algorithm + Clone + Sync) {
    let takes = Arc::new(AtomicU32::new(10));
    let layer = found(algorithm);
    let service = layer.layer(server(&takes));
    goodput(&service, 10, None).await;
    let before = layer.handle().limit();
    takes.store(100, Ordering::Relaxed);
    tokio::select! {
        _ = goodput(&service, 60, None) => {}
        () = time::sleep(SECOND) => {}
    }
    let after = layer.handle().limit();
    assert!(after < before, "{after} of {before}");
    // And goes on to.
    tokio::select! {
        _ = goodput(&service, 60, None) => {}
        () = time::sleep(9 * SECOND) => {}
    }
    let last = layer.handle().limit();
    assert!(2 * last <= before, "{last} of {before}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_has_no_room_is_believed_within_a_second() {
    shrinks(vegas().limits(1, 60, 1_000).unwrap()).await;
    shrinks(Aimd::new().limits(1, 100, 200).unwrap()).await;
    shrinks(Gradient2::new().limits(5, 100, 200).unwrap()).await;
}

/// What a thousand calls make of a limit that are refused one after the other.
async fn refused(layer: ConcurrencyLayer<ByResult>) -> u32 {
    let service = layer.layer(server(&Arc::default()));
    for _ in 0..1_000 {
        service.clone().oneshot(Method::Quota).await.unwrap_err();
    }
    layer.handle().limit()
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_says_of_a_quota_is_no_word_of_the_server_unless_it_is_remote() {
    assert_eq!(refused(found(Aimd::new())).await, 20);
    assert_eq!(refused(found(vegas())).await, 20);
    let remote = found(Aimd::new()).heed_refusals(true);
    assert!(refused(remote.isolated()).await < 15);
    assert!(refused(remote.adaptive(Aimd::new())).await < 15);
}
