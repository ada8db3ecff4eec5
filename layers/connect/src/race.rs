//! Whichever of two comes first.

use std::{future::poll_fn, pin::pin, task::Poll};

pub(crate) enum First<A, B> {
    One(A),
    Other(B),
}

/// The other is dropped. `one` is asked first.
pub(crate) async fn race<A, B>(
    one: impl Future<Output = A>,
    other: impl Future<Output = B>,
) -> First<A, B> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    poll_fn(|cx| {
        if let Poll::Ready(one) = one.as_mut().poll(cx) {
            return Poll::Ready(First::One(one));
        }
        other.as_mut().poll(cx).map(First::Other)
    })
    .await
}
