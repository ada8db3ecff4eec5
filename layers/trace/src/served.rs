//! What a server keeps of a request while it serves it.

use crate::{TraceContext, wire};
use http::HeaderMap;

/// The context that is current in every poll of a handler and of its answer's body. Boxed: every
/// layer around moves what has it, and a client has none.
#[derive(Debug)]
pub(crate) struct Served {
    /// There but in these polls: then it has changed places with what was current.
    context: Option<TraceContext>,
    /// Whether the answer names the trace.
    echo: bool,
}

// === impl Served ===

impl Served {
    pub(crate) fn new(context: TraceContext, echo: bool) -> Box<Self> {
        let context = Some(context);
        Box::new(Self { context, echo })
    }

    /// What to be within, if anything.
    #[inline]
    pub(crate) fn context(served: &mut Option<Box<Self>>) -> Option<&mut Option<TraceContext>> {
        Some(&mut served.as_deref_mut()?.context)
    }

    /// Names the trace in the headers of an answer, if it shall.
    pub(crate) fn echo(&self, headers: &mut HeaderMap) {
        if let Some(context) = self.context.as_ref().filter(|_| self.echo) {
            headers.insert(wire::X_TRACE_ID, context.x_trace_id());
        }
    }
}
