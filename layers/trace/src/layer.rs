//! What a stack is built with.

use crate::Trace;
use tower_layer::Layer;
use ziggurat_core::Dice;

/// Carries trace context through the services that it wraps.
#[derive(Clone, Debug)]
pub struct TraceLayer {
    pub(crate) role: Role,
    pub(crate) x_trace_id: bool,
    pub(crate) inject: bool,
    pub(crate) dice: Dice,
}

/// Where in a stack the layer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Client,
    Attempt,
}

// === impl TraceLayer ===

impl TraceLayer {
    /// For a client: every call is one step below the request that is being served, or the first of
    /// a trace. `x-trace-id` is written beside `traceparent`.
    #[must_use]
    pub const fn client() -> Self {
        Self::new(Role::Client, true)
    }

    /// For the inside of a retrying client: every attempt is one step below its call.
    /// `x-trace-id` is left as the call wrote it.
    #[must_use]
    pub const fn attempt() -> Self {
        Self::new(Role::Attempt, false)
    }

    /// For a server: every request is one step below its caller's, and current while it is served.
    /// `x-trace-id` is not written.
    #[must_use]
    pub const fn server() -> Self {
        Self::new(Role::Server, false)
    }

    /// Writes `x-trace-id` (a UUID) into requests, as a client, or into answers, as a server.
    #[must_use]
    pub const fn x_trace_id(mut self, write: bool) -> Self {
        self.x_trace_id = write;
        self
    }

    /// Writes headers into requests. On; off, a client leaves that to the attempts inside of it, and
    /// nothing is written twice. Whether those write `x-trace-id` is [theirs to say](Self::x_trace_id).
    ///
    /// A server writes none.
    #[must_use]
    pub const fn inject(mut self, write: bool) -> Self {
        self.inject = write;
        self
    }

    /// Draws new ids from `dice`. By default from the thread's generator.
    #[must_use]
    pub fn dice(mut self, dice: Dice) -> Self {
        self.dice = dice;
        self
    }

    const fn new(role: Role, x_trace_id: bool) -> Self {
        Self {
            role,
            x_trace_id,
            inject: true,
            dice: Dice::new(),
        }
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = Trace<S>;

    fn layer(&self, inner: S) -> Trace<S> {
        Trace::new(inner, self.clone())
    }
}
