//! Calls that end by their deadline, and what that says about the server: not that it is slow, if it never
//! had the time that it takes, or had answered.

use super::{MILLISECOND, SECOND, backend::layer, settings};
use http::{Request, Response};
use std::{future::pending, time::Duration};
use tokio::{task::JoinSet, time};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use ziggurat_concurrency::{Aimd, Algorithm, Concurrency, ConcurrencyLayer, Vegas};
use ziggurat_core::{ByResult, expire};
use ziggurat_testkit::ScriptBody;

/// So many callers, one call after the other, for so long.
async fn patient<S>(service: Concurrency<S, ByResult>, many: u32, length: Duration)
where
    S: Service<Duration, Response = (), Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let mut callers = JoinSet::new();
    for _ in 0..many {
        let service = service.clone();
        callers.spawn(async move {
            let end = time::Instant::now() + length;
            while time::Instant::now() < end {
                if service.clone().oneshot(10 * MILLISECOND).await.is_err() {
                    time::sleep(MILLISECOND).await;
                }
            }
        });
    }
    callers.join_all().await;
}

/// So many callers, whose calls have a deadline that comes after so long; every so often.
async fn in_a_hurry<S>(
    service: Concurrency<S, ByResult>,
    many: u32,
    takes: Duration,
    patience: Duration,
) where
    S: Service<Duration, Response = (), Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let mut callers = JoinSet::new();
    for _ in 0..many {
        let service = service.clone();
        callers.spawn(async move {
            loop {
                let mut call = Box::pin(service.clone().oneshot(takes));
                let _late = time::timeout(patience, &mut call).await;
                expire(|| drop(call));
                time::sleep(30 * MILLISECOND).await;
            }
        });
    }
    callers.join_all().await;
}

/// Of eleven callers so many are in a hurry.
async fn limit_beside(
    algorithm: impl Algorithm + Clone + Sync,
    in_haste: u32,
    takes: Duration,
    patience: Duration,
) -> u32 {
    let layer = layer(settings(1_000)).adaptive(algorithm);
    let service = layer.layer(service_fn(|takes: Duration| async move {
        time::sleep(takes).await;
        Ok(())
    }));
    tokio::select! {
        () = patient(service.clone(), 11 - in_haste, 20 * SECOND) => {}
        () = in_a_hurry(service, in_haste, takes, patience) => {}
    }
    layer.handle().limit()
}

#[tokio::test(start_paused = true)]
async fn who_never_gives_a_call_the_time_that_it_takes_takes_no_room_from_others() {
    let limit = limit_beside(Vegas::new(), 1, 10 * MILLISECOND, MILLISECOND).await;
    assert!(limit >= 15, "{limit}");
    let limit = limit_beside(Aimd::new(), 1, 10 * MILLISECOND, MILLISECOND).await;
    assert!(limit >= 15, "{limit}");
}

#[tokio::test(start_paused = true)]
async fn many_who_gave_it_more_time_than_others_need_and_had_no_answer_are_listened_to() {
    let limit = limit_beside(Aimd::new(), 10, SECOND, 50 * MILLISECOND).await;
    assert!(limit <= 10, "{limit}");
    // One of them may as well ask for too much.
    let limit = limit_beside(Aimd::new(), 1, SECOND, 50 * MILLISECOND).await;
    assert!(limit >= 15, "{limit}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_lasts_until_its_deadline_says_nothing_about_the_server() {
    let layer = ConcurrencyLayer::new(settings(1_000)).adaptive(Aimd::new());
    let service = layer.layer(service_fn(|_: Request<()>| async {
        let response = Response::builder().header("content-type", "application/grpc");
        let silent = ScriptBody::default().hang();
        response.body(silent).map_err(BoxError::from)
    }));
    for _ in 0..200 {
        let call = service.clone().oneshot(Request::new(()));
        let stream = call.await.unwrap();
        time::sleep(20 * MILLISECOND).await;
        expire(|| drop(stream));
    }
    assert!(layer.handle().limit() >= 20, "{}", layer.handle().limit());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_nobody_in_time_gets_less() {
    let layer = layer(settings(1_000)).adaptive(Aimd::new());
    let service = layer.layer(service_fn(|()| pending::<Result<(), BoxError>>()));
    for _ in 0..100 {
        let mut call = Box::pin(service.clone().oneshot(()));
        let _late = time::timeout(20 * MILLISECOND, &mut call).await;
        expire(|| drop(call));
    }
    assert!(layer.handle().limit() < 15);
}
