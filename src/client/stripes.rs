//! A stack for each thread, so that no call has to clone one.

use super::{future::StackFuture, stack::Stack};
use http::Request;
use std::{
    cell::Cell,
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};
use tower::Service;
use ziggurat_core::{BoxError, Code, Rejection};

/// The stack of a channel, called by all of its clones.
///
/// A clone of a channel is made for nearly every call. To clone the stack for it, too, is to count one
/// more reference in each of its layers, and one less afterwards, where all threads count.
pub(super) struct Stripes {
    stack: Stack,
    own: [Stripe; COUNT],
}

/// On cache lines of its own. Made by the first call that finds it.
#[derive(Default)]
#[repr(align(128))]
struct Stripe(Mutex<Option<Stack>>);

/// The threads that call one channel at the same moment are seldom more.
const COUNT: usize = 16;

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: Cell<Option<usize>> = const { Cell::new(None) };
}

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
        match self.own[thread() % COUNT].0.try_lock() {
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

/// Which thread this is, in the order of their first calls.
fn thread() -> usize {
    THREAD.get().unwrap_or_else(|| {
        let thread = THREADS.fetch_add(1, Ordering::Relaxed);
        THREAD.set(Some(thread));
        thread
    })
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
        let own = &stripes.own[thread() % COUNT].0;
        let busy = own.lock().unwrap();
        drop(call().unwrap());
        drop(busy);
        assert_eq!(made().count(), 1);
    }
}
