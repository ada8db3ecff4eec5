//! The service that the layer makes.

use crate::{Body, ResponseFuture, TraceContext, layer::Role, local, span::Watch, wire};
use http::{Request, Response};
use std::{
    fmt::Display,
    task::{Context, Poll},
};
use tower_service::Service;
use ziggurat_core::Dice;

/// A service whose calls are steps of a trace.
///
/// See the [crate docs](crate) for the rules.
#[derive(Clone, Debug)]
pub struct Trace<S> {
    inner: S,
    role: Role,
    x_trace_id: bool,
    dice: Dice,
}

// === impl Trace ===

impl<S> Trace<S> {
    pub(crate) const fn new(inner: S, role: Role, x_trace_id: bool, dice: Dice) -> Self {
        Self {
            inner,
            role,
            x_trace_id,
            dice,
        }
    }

    /// The service inside.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Takes the service out.
    pub fn into_inner(self) -> S {
        self.inner
    }

    /// The step that `request` is.
    fn step<B>(&self, request: &Request<B>) -> TraceContext {
        if self.role == Role::Server {
            return TraceContext::extract(request.headers(), &self.dice);
        }
        match request.extensions().get::<TraceContext>() {
            Some(above) => above.child(&self.dice),
            None => local::with_current(|above| above.child(&self.dice))
                .unwrap_or_else(|| TraceContext::root(&self.dice)),
        }
    }
}

impl<S, Req, Rsp> Service<Request<Req>> for Trace<S>
where
    S: Service<Request<Req>, Response = Response<Rsp>>,
    S::Error: Display + 'static,
    Rsp: http_body::Body,
{
    type Response = Response<Body<Rsp>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Req>) -> Self::Future {
        let context = self.step(&request);
        let watch = Watch::open(self.role, &mut request, &context);
        let mut echo = None;
        let mut scope = None;
        if self.role == Role::Server {
            echo = self.x_trace_id.then(|| context.x_trace_id());
            scope = Some(context.clone());
        } else {
            let headers = request.headers_mut();
            context.inject(headers);
            if self.x_trace_id {
                headers.insert(wire::X_TRACE_ID, context.x_trace_id());
            }
        }
        request.extensions_mut().insert(context);
        let inner = &mut self.inner;
        let future = local::within(scope.as_ref(), || {
            watch.span.in_scope(|| inner.call(request))
        });
        ResponseFuture::new(future, watch, scope, echo)
    }
}
