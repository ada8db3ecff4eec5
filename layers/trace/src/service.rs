//! The service that the layer makes.

use crate::{
    Body, ResponseFuture, TraceContext, TraceLayer, layer::Role, local, span::Watch, wire,
};
use http::{Request, Response};
use std::{
    fmt::Display,
    task::{Context, Poll},
};
use tower_service::Service;

/// A service whose calls are steps of a trace.
///
/// See the [crate docs](crate) for the rules.
#[derive(Clone, Debug)]
pub struct Trace<S> {
    inner: S,
    rules: TraceLayer,
}

// === impl Trace ===

impl<S> Trace<S> {
    pub(crate) const fn new(inner: S, rules: TraceLayer) -> Self {
        Self { inner, rules }
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
        let TraceLayer { role, dice, .. } = &self.rules;
        if *role == Role::Server {
            return TraceContext::extract(request.headers(), dice);
        }
        match request.extensions().get::<TraceContext>() {
            Some(above) => above.child(dice),
            None => local::with_current(|above| above.child(dice))
                .unwrap_or_else(|| TraceContext::root(dice)),
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
        let &TraceLayer {
            role,
            x_trace_id,
            inject,
            ..
        } = &self.rules;
        let watch = Watch::open(role, &mut request, &context);
        let mut echo = None;
        let mut scope = None;
        if role == Role::Server {
            echo = x_trace_id.then(|| Box::new(context.x_trace_id()));
            scope = Some(Box::new(context.clone()));
        } else if inject {
            let headers = request.headers_mut();
            context.inject(headers);
            if x_trace_id {
                headers.insert(wire::X_TRACE_ID, context.x_trace_id());
            }
        }
        let extensions = request.extensions_mut();
        // The step above has a place there, and needs it no more.
        match extensions.get_mut() {
            Some(above) => *above = context,
            None => {
                extensions.insert(context);
            }
        }
        let inner = &mut self.inner;
        let future = local::within(scope.as_deref(), || {
            watch.span.in_scope(|| inner.call(request))
        });
        ResponseFuture::new(future, watch, scope, echo)
    }
}
