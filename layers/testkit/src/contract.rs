//! The readiness contract, walked through from the caller's side.

use std::future::poll_fn;
use tower_service::Service;

/// Uses `service` in every way that its callers may: calls in a row, a clone taken while ready, readiness thrown away, two clones at once.
///
/// Over a [`Strict`](crate::Strict) that holds permits it fails the test when a layer calls an instance that it did not poll, and hangs when a layer keeps a reservation. Answers and errors of the calls are nobody's concern here.
pub async fn exercise<S, Req>(service: &S, mut request: impl FnMut() -> Req)
where
    S: Service<Req> + Clone,
{
    let mut first = service.clone();
    for _ in 0..2 {
        call(&mut first, request()).await;
    }

    if ready(&mut first).await {
        let mut clone = first.clone();
        drop(first.call(request()).await);
        call(&mut clone, request()).await;
    }

    for _ in 0..100 {
        ready(&mut service.clone()).await;
    }

    let (mut one, mut other) = (service.clone(), service.clone());
    tokio::join!(call(&mut one, request()), call(&mut other, request()));

    // A call that its caller gives up before the first poll.
    if ready(&mut one).await {
        drop(one.call(request()));
    }
    call(&mut one, request()).await;
}

async fn call<S: Service<Req>, Req>(service: &mut S, request: Req) {
    if ready(service).await {
        drop(service.call(request).await);
    }
}

async fn ready<S: Service<Req>, Req>(service: &mut S) -> bool {
    poll_fn(|cx| service.poll_ready(cx)).await.is_ok()
}
