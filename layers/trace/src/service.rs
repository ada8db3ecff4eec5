//! The service that the layer makes.

use crate::{
    Body, ResponseFuture, TraceContext, TraceLayer, layer::Role, local, served::Served, span::Watch,
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

    /// The step that `request` is, which it says from now on.
    #[inline]
    fn step<B>(&self, request: &mut Request<B>) -> TraceContext {
        let TraceLayer { role, dice, .. } = &self.rules;
        if *role == Role::Server {
            let context = TraceContext::extract(request.headers(), dice);
            request.extensions_mut().insert(context.clone());
            return context;
        }
        let extensions = request.extensions_mut();
        // The step above has a place there, and needs it no more.
        if let Some(above) = extensions.get_mut::<TraceContext>() {
            above.descend(dice);
            return above.clone();
        }
        let context = local::with_current(|above| above.child(dice))
            .unwrap_or_else(|| TraceContext::root(dice));
        extensions.insert(context.clone());
        context
    }

    /// Calls the service inside of the step's span, and of its context if it is served.
    #[inline(never)]
    fn call_within<Req>(
        &mut self,
        request: Request<Req>,
        watch: Option<Box<Watch>>,
        mut served: Option<Box<Served>>,
    ) -> ResponseFuture<S::Future>
    where
        S: Service<Request<Req>>,
    {
        let current = local::enter(Served::context(&mut served));
        let span = watch.as_ref().map(|watch| watch.enter());
        let future = self.inner.call(request);
        drop((span, current));
        ResponseFuture::new(future, watch, served)
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

    // Not inlined: its caller may have to move what is built there once more.
    #[inline(never)]
    fn call(&mut self, mut request: Request<Req>) -> Self::Future {
        let context = self.step(&mut request);
        let &TraceLayer {
            role,
            x_trace_id,
            inject,
            ..
        } = &self.rules;
        if inject && role != Role::Server {
            context.write(request.headers_mut(), x_trace_id);
        }
        let watch = Watch::open(role, &mut request, &context);
        if watch.is_none() && role != Role::Server {
            // The way of most calls: put together where it is kept, with nothing to leave again.
            return ResponseFuture::new(self.inner.call(request), None, None);
        }
        let served = (role == Role::Server).then(|| Served::new(context, x_trace_id));
        self.call_within(request, watch, served)
    }
}
