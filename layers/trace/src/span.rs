//! The spans that subscribers see.

use crate::{TraceContext, layer::Role};
use http::{HeaderMap, Request, Response, header::CONTENT_TYPE};
use std::{
    any::Any,
    cell::LazyCell,
    fmt::{self, Display},
};
use tracing::{Span, field};
use ziggurat_core::{
    Attempt, BoxError, Carry, Classify, Grpc, Http, Outcome, Picked, Record, Recorded, Recorder,
    error, grpc,
};

/// A call's span, while the call is under way.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) span: Seen,
    is_grpc: bool,
    recorder: Recorder<Option<End>>,
}

/// A span, if a subscriber wants it. Boxed: every layer around moves what has it, and most calls
/// have none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Option<Box<Span>>);

/// Writes how a call ended into its span.
pub(crate) struct End(Seen);

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
    pub(crate) fn open<B>(role: Role, request: &mut Request<B>, context: &TraceContext) -> Self {
        let is_grpc = is_grpc(request.headers());
        let above = match role {
            Role::Server => None,
            Role::Client | Role::Attempt => request.extensions().get::<Above>().cloned(),
        };
        let open = || {
            // Nobody looks unless a subscriber wants the span.
            let what = LazyCell::new(|| What::of(role, request, is_grpc));
            match role {
                Role::Server => open!("request", "server", what, context),
                Role::Client => open!("call", "client", what, context),
                Role::Attempt => open!("attempt", "client", what, context),
            }
        };
        let span = match above {
            Some(Above(above)) => above.in_scope(open),
            None => open(),
        };
        if span.is_disabled() {
            return Self {
                span: Seen::default(),
                is_grpc,
                recorder: Recorder::new(None, None),
            };
        }
        request.extensions_mut().insert(Above(span.clone()));
        let span = Seen(Some(Box::new(span)));
        let recorder = Recorder::new(Some(End(span.clone())), Grpc.deadline(request));
        Self {
            span,
            is_grpc,
            recorder,
        }
    }

    /// Watches the body of `response` to its end.
    pub(crate) fn response<B: http_body::Body>(
        self,
        response: Response<B>,
    ) -> (Response<Recorded<B, Option<End>>>, Seen) {
        let span = self.span;
        if let Some(span) = span.get() {
            if let Some(picked) = response.extensions().get::<Picked>() {
                span.record("endpoint", picked.endpoint().as_str());
            }
            if self.is_grpc {
                record_status(span, response.headers());
            } else {
                span.record("http.response.status_code", response.status().as_u16());
            }
        }
        let observed = if self.is_grpc {
            Grpc.observe(Ok(response), self.recorder)
        } else {
            Http.observe(Ok(response), self.recorder)
        };
        let response = observed.expect("`observe` hands on an answer as an answer");
        (response, span)
    }

    /// The call failed.
    pub(crate) fn failed<E: Display + 'static>(self, error: &E) {
        let Some(span) = self.span.get() else {
            return;
        };
        span.record("error", field::display(error));
        // What a stack of ours fails with is boxed; of other errors no more than that is known.
        let code = (error as &dyn Any)
            .downcast_ref::<BoxError>()
            .and_then(|error| error::code(&**error));
        if let (Some(code), true) = (code, self.is_grpc) {
            span.record("rpc.grpc.status_code", code.number());
        }
        self.recorder
            .settle(code.map_or(Outcome::Failure, Outcome::from));
    }
}

// === impl Seen ===

impl Seen {
    pub(crate) fn get(&self) -> Option<&Span> {
        self.0.as_deref()
    }

    pub(crate) fn in_scope<T>(&self, f: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(span) => span.in_scope(f),
            None => f(),
        }
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
        if let Some(span) = self.0.get() {
            span.record("outcome", text);
        }
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("End")
    }
}

// === impl What ===

impl<'r> What<'r> {
    fn of<B>(role: Role, request: &'r Request<B>, is_grpc: bool) -> Self {
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

/// Writes the status of a gRPC call into its span, if it stands in these headers or trailers.
pub(crate) fn record_status(span: &Span, headers: &HeaderMap) {
    if let Some(code) = grpc::status(headers) {
        span.record("rpc.grpc.status_code", code.number());
    }
}

/// gRPC-Web has its status in the body, out of sight.
fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| {
        let kind = value.as_bytes();
        kind.starts_with(b"application/grpc") && !kind.starts_with(b"application/grpc-web")
    })
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
            let watch = Watch::open(role, &mut request, &context);
            assert!(watch.span.get().is_none());
            assert!(request.extensions().is_empty());
        }
    }
}
