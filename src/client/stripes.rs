//! A stack for each thread, so that no call has to clone one.

use super::{future::StackFuture, stack::Stack};
use http::Request;
use std::{
    fmt,
    sync::Mutex,
    task::{Context, Poll, Waker},
};
use tower::Service;
use ziggurat_core::{
    BoxError, Code, Rejection,
    seat::{self, Apart},
};

/// The stack of a channel, called by all of its clones.
///
/// A clone of a channel is made for nearly every call. To clone the stack for it, too, is to count one
/// more reference in each of its layers, and one less afterwards, where all threads count.
pub(super) struct Stripes {
    stack: Stack,
    own: [Stripe; COUNT],
}

/// Made by the first call that finds it.
type Stripe = Apart<Mutex<Option<Stack>>>;

/// The threads that call one channel at the same moment are seldom more.
const COUNT: usize = 16;

// === impl Stripes ===

impl Stripes {
    pub(super) fn new(stack: Stack) -> Self {
        Self {
            stack,
            own: Default::default(),
        }
    }

    /// Calls the stack.
    ///
    /// # Errors
    ///
    /// If it is not ready, which is said to whoever would wait for it: the roots of a stack always are.
    pub(super) fn call(
        &self,
        request: Request<tonic::body::Body>,
    ) -> Result<StackFuture, BoxError> {
        let Apart(own) = &self.own[seat::among(COUNT)];
        match own.try_lock() {
            Ok(mut own) => call(own.get_or_insert_with(|| self.stack.clone()), request),
            // Another thread's, this one's own call further out, or left by a panic: none to wait for.
            Err(_) => call(&mut self.stack.clone(), request),
        }
    }
}

impl fmt::Debug for Stripes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripes").finish_non_exhaustive()
    }
}

fn call(stack: &mut Stack, request: Request<tonic::body::Body>) -> Result<StackFuture, BoxError> {
    match stack.poll_ready(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(())) => Ok(stack.call(request)),
        Poll::Ready(Err(error)) => Err(error),
        Poll::Pending => {
            Err(Rejection::decided(Code::Unavailable, "the channel is not ready").into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{ChannelSettings, stack::stack};
    use std::sync::Arc;
    use ziggurat_discover::Fixed;

    #[tokio::test]
    async fn a_call_is_made_on_the_threads_own_stack_and_waits_for_no_other() {
        let nowhere = Arc::new(Fixed::new([]));
        let (stack, _) = stack(nowhere, "echo", &ChannelSettings::new());
        let stripes = Stripes::new(stack);
        let call = || stripes.call(Request::new(tonic::body::Body::empty()));
        let made = || {
            stripes
                .own
                .iter()
                .filter(|own| own.0.lock().unwrap().is_some())
        };
        for _ in 0..2 {
            drop(call().unwrap());
            assert_eq!(made().count(), 1);
        }
        let own = &stripes.own[seat::among(COUNT)].0;
        let busy = own.lock().unwrap();
        drop(call().unwrap());
        drop(busy);
        assert_eq!(made().count(), 1);
    }
}
