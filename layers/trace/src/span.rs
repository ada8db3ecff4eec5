//! The spans that subscribers see.

use crate::{Body, TraceContext, layer::Role, watched::Watched};
use http::{HeaderMap, Request, Response};
use std::{
    any::Any,
    cell::LazyCell,
    fmt::{self, Display},
};
use tracing::{
    Level, Span, field,
    level_filters::{LevelFilter, STATIC_MAX_LEVEL},
    span::Entered,
};
use ziggurat_core::{
    Attempt, BoxError, Carry, Classify, Grpc, Http, Outcome, Picked, Record, Recorder, error,
    grpc::{self, Dialect},
};

/// A call's span, while the call is under way. Boxed: every layer around moves what has it, and most
/// calls have none.
#[derive(Debug)]
pub(crate) struct Watch {
    span: Span,
    is_grpc: bool,
    recorder: Recorder<End>,
}

/// Writes how a call ended into its span.
pub(crate) struct End(Span);

/// The span of the step that made a request; a request extension, so that the next step is below
/// it whatever task it is taken in.
#[derive(Clone)]
struct Above(Span);

/// One span of each role has the same fields; what a field of a span is called must be a literal.
macro_rules! open {
    ($name:literal, $kind:literal, $what:expr, $context:expr) => {
        tracing::info_span!(
            target: "ziggurat_trace",
            $name,
            otel.kind = $kind,
            otel.name = $what.path,
            trace_id = %$context.trace_id(),
            span_id = %$context.span_id(),
            parent_id = $context.parent_id().map(field::display),
            rpc.system = $what.rpc.map(|_| "grpc"),
            rpc.service = $what.rpc.map(|(service, _)| service),
            rpc.method = $what.rpc.map(|(_, method)| method),
            http.request.method = $what.method,
            url.path = $what.method.map(|_| $what.path),
            attempt = $what.attempt,
            endpoint = field::Empty,
            rpc.grpc.status_code = field::Empty,
            http.response.status_code = field::Empty,
            outcome = field::Empty,
            error = field::Empty,
        )
    };
}

struct What<'r> {
    path: &'r str,
    rpc: Option<(&'r str, &'r str)>,
    method: Option<&'r str>,
    attempt: Option<u32>,
}

// === impl Watch ===

impl Watch {
    /// Opens the span of this step. `None` if no subscriber wants it: then nothing was looked at.
    #[inline]
    pub(crate) fn open<B>(
        role: Role,
        request: &mut Request<B>,
        context: &TraceContext,
    ) -> Option<Box<Self>> {
        let what = LazyCell::new(|| What::of(role, request));
        let open = || match role {
            Role::Server => open!("request", "server", what, context),
            Role::Client => open!("call", "client", what, context),
            Role::Attempt => open!("attempt", "client", what, context),
        };
        let span = match above(role, request) {
            Some(Above(above)) => above.in_scope(open),
            None => open(),
        };
        if span.is_disabled() {
            return None;
        }
        let is_grpc = is_grpc(request.headers());
        request.extensions_mut().insert(Above(span.clone()));
        Some(Box::new(Self {
            recorder: Recorder::new(End(span.clone()), Grpc.deadline(request)),
            is_grpc,
            span,
        }))
    }

    pub(crate) fn enter(&self) -> Entered<'_> {
        self.span.enter()
    }

    /// Watches the body of `response` to its end.
    pub(crate) fn response<B: http_body::Body>(self, response: Response<B>) -> Response<Body<B>> {
        let span = self.span;
        if let Some(picked) = response.extensions().get::<Picked>() {
            span.record("endpoint", picked.endpoint().as_str());
        }
        if self.is_grpc {
            record_status(&span, response.headers());
        } else {
            span.record("http.response.status_code", response.status().as_u16());
        }
        let observed = if self.is_grpc {
            Grpc.observe(Ok(response), self.recorder)
        } else {
            Http.observe(Ok(response), self.recorder)
        };
        let response = observed.expect("`observe` hands on an answer as an answer");
        response.map(|body| Body::watched(Watched::new(body, span)))
    }

    /// The call failed.
    pub(crate) fn failed<E: Display + 'static>(self, error: &E) {
        self.span.record("error", field::display(error));
        // What a stack of ours fails with is boxed; of other errors no more than that is known.
        let code = (error as &dyn Any)
            .downcast_ref::<BoxError>()
            .and_then(|error| error::code(&**error));
        if let (Some(code), true) = (code, self.is_grpc) {
            self.span.record("rpc.grpc.status_code", code.number());
        }
        self.recorder
            .settle(code.map_or(Outcome::Failure, Outcome::from));
    }
}

// === impl End ===

impl Record for End {
    fn settle(self, outcome: Outcome) {
        let text = match outcome {
            Outcome::Success => "success",
            Outcome::Timeout => "timeout",
            Outcome::Overload => "overload",
            Outcome::Cancelled => "cancelled",
            _ => "failure",
        };
        self.0.record("outcome", text);
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("End")
    }
}

// === impl What ===

impl<'r> What<'r> {
    fn of<B>(role: Role, request: &'r Request<B>) -> Self {
        let is_grpc = is_grpc(request.headers());
        let path = request.uri().path();
        let rpc = path.trim_start_matches('/').rsplit_once('/');
        let attempt = request.extensions().get::<Attempt>().map(Attempt::number);
        Self {
            path,
            rpc: rpc.filter(|_| is_grpc),
            method: (!is_grpc).then(|| request.method().as_str()),
            attempt: (role == Role::Attempt).then(|| attempt.unwrap_or(1)),
        }
    }
}

/// The span that this step is below, if spans may be wanted at all.
#[inline]
fn above<B>(role: Role, request: &Request<B>) -> Option<Above> {
    let may_be = Level::INFO <= STATIC_MAX_LEVEL && Level::INFO <= LevelFilter::current();
    if !may_be || role == Role::Server {
        return None;
    }
    request.extensions().get::<Above>().cloned()
}

/// Writes the status of a gRPC call into its span, if it stands in these headers or trailers.
pub(crate) fn record_status(span: &Span, headers: &HeaderMap) {
    if let Some(code) = grpc::status(headers) {
        span.record("rpc.grpc.status_code", code.number());
    }
}

/// gRPC-Web has its status in the body, out of sight.
fn is_grpc(headers: &HeaderMap) -> bool {
    grpc::dialect(headers) == Some(Dialect::Grpc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ziggurat_core::Dice;

    // The only kind of test that may stand here: a subscriber of one thread would be seen by all.
    #[test]
    fn without_a_subscriber_there_is_no_span_and_nothing_is_kept() {
        for role in [Role::Server, Role::Client, Role::Attempt] {
            let mut request = Request::new(());
            let context = TraceContext::root(&Dice::new());
            assert!(Watch::open(role, &mut request, &context).is_none());
            assert!(request.extensions().is_empty());
        }
    }
}
