//! Where hyper's futures run.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::runtime::Handle;

/// Keeps the first future that hyper hands over, which drives the socket, for the task that owns
/// the connection; spawns the others.
///
/// So that the socket closes when its owner goes. The others each belong to one stream, and end
/// with the connection.
#[derive(Clone)]
pub(crate) struct Executor(Arc<Inner>);

struct Inner {
    runtime: Handle,
    kept: AtomicBool,
    socket: Mutex<Option<Socket>>,
}

/// Drives a socket until it is closed.
pub(crate) type Socket = Pin<Box<dyn Future<Output = ()> + Send>>;

// === impl Executor ===

impl Executor {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self(Arc::new(Inner {
            runtime,
            kept: AtomicBool::new(false),
            socket: Mutex::new(None),
        }))
    }

    /// What drives the socket, once the handshake has begun.
    pub(crate) fn take_socket(&self) -> Option<Socket> {
        let mut socket = self.0.socket.lock().unwrap_or_else(PoisonError::into_inner);
        socket.take()
    }
}

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        let inner = &self.0;
        // Relaxed: the handshake is one task's, and comes before any call.
        if inner.kept.load(Ordering::Relaxed) || inner.kept.swap(true, Ordering::Relaxed) {
            inner.runtime.spawn(future);
            return;
        }
        let mut socket = inner.socket.lock().unwrap_or_else(PoisonError::into_inner);
        *socket = Some(Box::pin(future));
    }
}
