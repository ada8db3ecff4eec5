//! One thread's part of a row: the same call, over and over, checked every time.

use crate::Sample;
use std::{
    fmt::Debug,
    future::{Future, poll_fn},
    hint::black_box,
    marker::PhantomData,
    pin::Pin,
};
use tower_service::Service;

/// Calls a service that it keeps.
///
/// Two lines of cache wide, so that threads do not share a line by chance of the heap.
#[repr(align(128))]
pub(crate) struct Call<S, Req> {
    service: S,
    answer: Answer,
    request: PhantomData<fn() -> Req>,
}

/// Clones a service for every call, and calls the clone: what a handler does with a client.
pub(crate) struct CloneCall<S, Req>(pub(crate) Call<S, Req>);

/// What every call of a row must come back with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Ok,
    Err,
}

/// A call that is made in a loop; erased once a loop, not once a call.
pub(crate) trait Worker: Send {
    fn repeat(&mut self, calls: u32) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// One call, awaited where it is made.
// No function: of two subjects one was built into its loop and the other was not, and paid for it.
macro_rules! call {
    ($service:expr, $answer:expr) => {{
        let service = $service;
        let ready = poll_fn(|cx| service.poll_ready(cx)).await;
        // An error need not be `Send`, so none is held while the call is awaited.
        let ready = ready.map_err(|error| $answer.check(Err::<S::Response, _>(error)));
        if ready.is_ok() {
            $answer.check(service.call(black_box(Req::sample())).await);
        }
    }};
}

// === impl Answer ===

impl Answer {
    #[inline(always)]
    fn check<T, E: Debug>(self, result: Result<T, E>) {
        match result {
            Ok(answer) if self == Self::Ok => drop(black_box(answer)),
            Err(error) if self == Self::Err => drop(black_box(error)),
            Ok(_) => panic!("the call was answered, but this row measures rejections"),
            Err(error) => panic!("the call failed: {error:?}"),
        }
    }
}

// === impl Call ===

impl<S, Req> Call<S, Req> {
    pub(crate) const fn new(service: S, answer: Answer) -> Self {
        Self {
            service,
            answer,
            request: PhantomData,
        }
    }
}

impl<S, Req> Worker for Call<S, Req>
where
    Req: Sample,
    S: Service<Req> + Send,
    S::Error: Debug,
    S::Future: Send,
{
    fn repeat(&mut self, calls: u32) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            for _ in 0..calls {
                call!(&mut self.service, self.answer);
            }
        })
    }
}

// === impl CloneCall ===

impl<S, Req> Worker for CloneCall<S, Req>
where
    Req: Sample,
    S: Service<Req> + Clone + Send,
    S::Error: Debug,
    S::Future: Send,
{
    fn repeat(&mut self, calls: u32) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            for _ in 0..calls {
                let mut service = self.0.service.clone();
                call!(&mut service, self.0.answer);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Answer;

    #[test]
    #[should_panic(expected = "the call failed")]
    fn a_failure_ends_a_row_that_measures_answers() {
        Answer::Ok.check(Err::<(), _>("broken"));
    }

    #[test]
    #[should_panic(expected = "the call was answered")]
    fn an_answer_ends_a_row_that_measures_rejections() {
        Answer::Err.check(Ok::<_, ()>(()));
    }
}
