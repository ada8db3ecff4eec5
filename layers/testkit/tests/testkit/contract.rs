//! `exercise` lets a good layer pass and catches the usual bad ones.

use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{sync::Semaphore, time::timeout};
use tower::{Service, limit::ConcurrencyLimit};
use ziggurat_testkit::{BoxError, Counting, Strict, exercise};

/// Calls a fresh clone instead of the instance that it polled.
#[derive(Clone)]
struct Careless<S>(S);

/// Calls the instance that it polled, and leaves the clone in its place.
#[derive(Clone)]
struct Careful<S>(S);

impl<S: Service<u32> + Clone> Service<u32> for Careless<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: u32) -> S::Future {
        self.0.clone().call(request)
    }
}

impl<S: Service<u32> + Clone> Service<u32> for Careful<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: u32) -> S::Future {
        let clone = self.0.clone();
        mem::replace(&mut self.0, clone).call(request)
    }
}

#[tokio::test]
async fn a_careful_layer_passes_and_everything_comes_back() {
    let permits = Arc::new(Semaphore::new(1));
    let strict = Strict::new(|n: u32| async move { Ok::<_, BoxError>(n) })
        .pending_first(2)
        .permits(Arc::clone(&permits));
    let (counting, gauge) = Counting::new(strict);
    exercise(&Careful(counting), || 1).await;
    assert_eq!(permits.available_permits(), 1);
    assert_eq!((gauge.started(), gauge.dropped()), (8, 1));
    assert_eq!(gauge.clones(), 0);
    gauge.assert_idle();
}

#[tokio::test]
async fn a_layer_of_tower_passes() {
    let limited = ConcurrencyLimit::new(Strict::echo(), 1);
    exercise(&limited, || 1).await;
}

#[tokio::test]
#[should_panic(expected = "a clone starts unready")]
async fn a_layer_that_calls_a_fresh_clone_fails_the_test() {
    exercise(&Careless(Strict::echo()), || 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_keeps_a_reservation_hangs() {
    /// Answers from a clone that keeps its permit.
    #[derive(Clone)]
    struct Hoarding(
        Strict<ziggurat_testkit::strict::Echo>,
        Arc<std::sync::Mutex<Vec<Strict<ziggurat_testkit::strict::Echo>>>>,
    );

    impl Service<u32> for Hoarding {
        type Response = u32;
        type Error = BoxError;
        type Future = std::future::Ready<Result<u32, BoxError>>;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Service::<u32>::poll_ready(&mut self.0, cx)
        }

        fn call(&mut self, request: u32) -> Self::Future {
            let clone = self.0.clone();
            self.1
                .lock()
                .unwrap()
                .push(mem::replace(&mut self.0, clone));
            std::future::ready(Ok(request))
        }
    }

    let strict = Strict::echo().permits(Arc::new(Semaphore::new(1)));
    let hoarding = Hoarding(strict, Arc::default());
    timeout(Duration::from_secs(1), exercise(&hoarding, || 1))
        .await
        .unwrap_err();
}
