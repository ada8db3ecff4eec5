//! Every await is dropped at once, in order.

use std::{
    cell::{Cell, RefCell},
    future::pending,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Semaphore, task::yield_now, time::sleep};
use ziggurat_testkit::{drop_at_every_await, drop_at_every_await_then};

#[tokio::test(start_paused = true)]
async fn a_future_is_dropped_before_the_first_poll_and_at_each_await() {
    let (made, reached) = (Cell::new(0), RefCell::new(Vec::new()));
    let output = drop_at_every_await(|| {
        made.set(made.get() + 1);
        async {
            reached.borrow_mut().push('a');
            sleep(Duration::from_secs(1)).await;
            reached.borrow_mut().push('b');
            yield_now().await;
            reached.borrow_mut().push('c');
            7
        }
    })
    .await;
    assert_eq!(output, 7);
    assert_eq!(made.get(), 4);
    assert_eq!(reached.into_inner(), ['a', 'a', 'b', 'a', 'b', 'c']);
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_leaks_is_seen_at_the_await_that_leaks_it() {
    let permits = Arc::new(Semaphore::new(9));
    let leaked_at = Cell::new(None);
    drop_at_every_await_then(
        || async {
            yield_now().await;
            permits.acquire().await.unwrap().forget();
            yield_now().await;
            permits.add_permits(1);
        },
        |polls| {
            if permits.available_permits() < 9 && leaked_at.get().is_none() {
                leaked_at.set(Some(polls));
            }
        },
    )
    .await;
    assert_eq!(leaked_at.get(), Some(2));
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "never woken again")]
async fn a_lost_wake_up_fails_the_test() {
    drop_at_every_await(pending::<()>).await;
}
