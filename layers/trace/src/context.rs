//! Where in which trace something happens.

use crate::{SpanId, TraceId};
use http::HeaderValue;
use std::{mem, sync::Arc};
use ziggurat_core::Dice;

/// Where in which trace something happens; a request extension, and the [current](crate::current)
/// one while a request is served.
///
/// Between processes it travels as `traceparent`, `tracestate` and `baggage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: TraceId,
    span_id: SpanId,
    parent_id: Option<SpanId>,
    sampled: bool,
    // Rarely there, and the same for all of a request: shared, so that a clone stays cheap.
    carried: Option<Arc<Carried>>,
}

/// What is handed on and not looked into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) state: Option<HeaderValue>,
    pub(crate) baggage: Option<HeaderValue>,
}

// === impl TraceContext ===

impl TraceContext {
    /// A step of a trace, of which nothing else is known. Sampled.
    #[must_use]
    pub const fn new(trace_id: TraceId, span_id: SpanId) -> Self {
        Self {
            trace_id,
            span_id,
            parent_id: None,
            sampled: true,
            carried: None,
        }
    }

    /// The first step of a new trace. Sampled.
    #[must_use]
    pub fn root(dice: &Dice) -> Self {
        Self::new(TraceId::random(dice), SpanId::random(dice))
    }

    /// The next step below this one.
    #[must_use]
    pub fn child(&self, dice: &Dice) -> Self {
        let mut child = self.clone();
        child.descend(dice);
        child
    }

    /// Becomes the next step below itself.
    pub(crate) fn descend(&mut self, dice: &Dice) {
        let above = mem::replace(&mut self.span_id, SpanId::random(dice));
        self.parent_id = Some(above);
    }

    /// Says whether somebody wants to look at this trace.
    #[must_use]
    pub const fn sampled(mut self, sampled: bool) -> Self {
        self.sampled = sampled;
        self
    }

    pub(crate) fn carrying(mut self, carried: Carried) -> Self {
        let empty = carried.state.is_none() && carried.baggage.is_none();
        self.carried = (!empty).then(|| Arc::new(carried));
        self
    }

    /// Is there anything to hand on beside the ids?
    pub(crate) const fn carries(&self) -> bool {
        self.carried.is_some()
    }

    /// The trace.
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The step.
    #[must_use]
    pub const fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// The step above it, if that is known.
    #[must_use]
    pub const fn parent_id(&self) -> Option<SpanId> {
        self.parent_id
    }

    /// Does somebody want to look at this trace?
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// What vendors of tracing systems tell each other, as it came.
    #[must_use]
    pub fn tracestate(&self) -> Option<&HeaderValue> {
        self.carried.as_ref()?.state.as_ref()
    }

    /// What applications tell each other along the trace, as it came.
    #[must_use]
    pub fn baggage(&self) -> Option<&HeaderValue> {
        self.carried.as_ref()?.baggage.as_ref()
    }
}
