//! Trace context in headers (W3C Trace Context, Level 1; W3C Baggage).

use crate::{
    SpanId, TraceContext, TraceId,
    context::Carried,
    hex::{self, Case},
    id,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::ops::Range;
use ziggurat_core::{Dice, headers};

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
pub(crate) const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
pub(crate) const X_TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The size of `traceparent`, version 00.
const PARENT_LEN: usize = 55;
/// Where its ids are.
const TRACE_ID: Range<usize> = 3..35;
const SPAN_ID: Range<usize> = 36..52;
/// What the specification wants handed on at least; a list of more members is no `tracestate`.
const STATE: Limits = Limits {
    bytes: 512,
    members: 32,
    strict: true,
};
/// What the specification wants handed on at least: 64 members, or 180 of one that is older.
const BAGGAGES: Limits = Limits {
    bytes: 8_192,
    members: 180,
    strict: false,
};
const SAMPLED: u128 = 1;

/// What a `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parent {
    trace_id: TraceId,
    span_id: SpanId,
    sampled: bool,
}

/// How much of a list is handed on.
#[derive(Clone, Copy, Debug)]
struct Limits {
    bytes: usize,
    members: usize,
    /// With more members it means nothing at all.
    strict: bool,
}

// === impl TraceContext ===

impl TraceContext {
    /// The step of a request that has just come in: below its caller's when the headers name one,
    /// else the first.
    ///
    /// Asked are `traceparent`, `x-trace-id` and `x-request-id`, in this order; the latter two for a
    /// UUID or 32 hex digits. What makes no sense counts as missing, and so does a `tracestate` of
    /// more than 32 members. Of it 512 bytes are kept, of `baggage` 180 members and 8 KiB, in whole
    /// members.
    #[must_use]
    pub fn extract(headers: &HeaderMap, dice: &Dice) -> Self {
        let parent = single(headers, &TRACEPARENT).and_then(parse_parent);
        let state = parent.and_then(|_| list(headers, &TRACESTATE, STATE));
        let baggage = list(headers, &BAGGAGE, BAGGAGES);
        let context = match parent {
            Some(parent) => Self::new(parent.trace_id, parent.span_id)
                .sampled(parent.sampled)
                .child(dice),
            None => [X_TRACE_ID, X_REQUEST_ID]
                .iter()
                .find_map(|name| single(headers, name).and_then(TraceId::from_text))
                .map_or_else(
                    || Self::root(dice),
                    |trace_id| Self::new(trace_id, SpanId::random(dice)),
                ),
        };
        context.carrying(Carried { state, baggage })
    }

    /// Writes `traceparent`, and `tracestate` and `baggage` as they came.
    ///
    /// A `tracestate` of another trace goes; `baggage` that is there stays.
    pub fn inject(&self, headers: &mut HeaderMap) {
        self.write(headers, false);
    }

    /// Writes what [`inject`](Self::inject) does, and `x-trace-id` if asked to.
    pub(crate) fn write(&self, headers: &mut HeaderMap, x_trace_id: bool) {
        if self.carries() || headers::find(headers, &TRACESTATE).is_some() {
            self.write_carried(headers);
        }
        let trace_id = self.trace_id().hex();
        // One by its name, one by a reference to it: code of its own inserts each, and is built into this
        // place, where a name is known.
        headers.insert(TRACEPARENT, ascii(&self.parent_text(&trace_id)));
        if x_trace_id {
            headers.insert(&X_TRACE_ID, ascii(&id::uuid(&trace_id)));
        }
    }

    /// Writes what came along, which is hardly ever anything.
    #[inline(never)]
    fn write_carried(&self, headers: &mut HeaderMap) {
        headers.remove(TRACESTATE);
        if let Some(state) = self.tracestate() {
            headers.append(TRACESTATE, state.clone());
        }
        if let Some(baggage) = self.baggage() {
            let entry = headers.entry(BAGGAGE);
            entry.or_insert_with(|| baggage.clone());
        }
    }

    /// This step as a `traceparent`, version 00.
    #[must_use]
    pub fn traceparent(&self) -> HeaderValue {
        ascii(&self.parent_text(&self.trace_id().hex()))
    }

    /// The trace as an `x-trace-id`: a UUID.
    #[must_use]
    pub fn x_trace_id(&self) -> HeaderValue {
        ascii(&id::uuid(&self.trace_id().hex()))
    }

    fn parent_text(&self, trace_id: &[u8; 32]) -> [u8; PARENT_LEN] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        text[TRACE_ID].copy_from_slice(trace_id);
        text[SPAN_ID].copy_from_slice(&self.span_id().hex());
        text[54] += u8::from(self.is_sampled());
        text
    }
}

/// Hex digits and dashes, of which every header may consist.
// Not inlined: of a length that the compiler knows it checks byte by byte.
#[inline(never)]
fn ascii(text: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(text).unwrap_or(HeaderValue::from_static(""))
}

/// The value of a header that stands there once; of several, none is to be believed.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.as_bytes())
}

fn parse_parent(text: &[u8]) -> Option<Parent> {
    let (known, rest) = text.split_at_checked(PARENT_LEN)?;
    if [2, 35, 52].iter().any(|&place| known[place] != b'-') {
        return None;
    }
    let version = hex::parse::<2>(&known[..2], Case::Lower)?;
    match (version, rest) {
        (0xff, _) => return None,
        (0, rest) if !rest.is_empty() => return None,
        // A later version may add fields, each after a dash.
        (_, [] | [b'-', ..]) => {}
        _ => return None,
    }
    let flags = hex::parse::<2>(&known[53..], Case::Lower)?;
    Some(Parent {
        trace_id: TraceId::from_hex(&known[TRACE_ID], Case::Lower)?,
        span_id: SpanId::from_hex(&known[SPAN_ID], Case::Lower)?,
        sampled: flags & SAMPLED != 0,
    })
}

/// The members of a comma-separated list, of all its headers in order, as far as they fit.
fn list(headers: &HeaderMap, name: &HeaderName, limits: Limits) -> Option<HeaderValue> {
    let values = || headers.get_all(name).iter();
    let members = || {
        let members = values().flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
        let trimmed = members.map(<[u8]>::trim_ascii);
        trimmed.filter(|member| !member.is_empty())
    };
    let first = values().next()?;
    let count = members().take(limits.members + 1).count();
    let too_many = count > limits.members;
    if count == 0 || too_many && limits.strict {
        return None;
    }
    if values().nth(1).is_none() && first.len() <= limits.bytes && !too_many {
        return first.to_str().is_ok().then(|| first.clone());
    }
    let mut joined: Vec<u8> = Vec::new();
    for member in members().take(limits.members) {
        if joined.len() + member.len() + usize::from(!joined.is_empty()) > limits.bytes {
            break;
        }
        if !joined.is_empty() {
            joined.push(b',');
        }
        joined.extend_from_slice(member);
    }
    let value = HeaderValue::from_bytes(&joined).ok()?;
    (!value.is_empty() && value.to_str().is_ok()).then_some(value)
}

#[cfg(test)]
mod tests;
