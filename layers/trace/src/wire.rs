//! Trace context in headers (W3C Trace Context, Level 1; W3C Baggage).

use crate::{
    SpanId, TraceContext, TraceId,
    context::Carried,
    hex::{self, Case},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use ziggurat_core::Dice;

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
pub(crate) const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
pub(crate) const X_TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The size of `traceparent`, version 00.
const PARENT_LEN: usize = 55;
/// What the specification wants handed on at least.
const MAX_STATE: usize = 512;
/// What the specification wants handed on at least.
const MAX_BAGGAGE: usize = 8_192;
const SAMPLED: u128 = 1;

/// What a `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parent {
    trace_id: TraceId,
    span_id: SpanId,
    sampled: bool,
}

// === impl TraceContext ===

impl TraceContext {
    /// The step of a request that has just come in: below its caller's when the headers name one,
    /// else the first.
    ///
    /// Asked are `traceparent`, `x-trace-id` and `x-request-id`, in this order; the latter two for a
    /// UUID or 32 hex digits. What makes no sense counts as missing. Of `tracestate` 512 bytes are
    /// kept, of `baggage` 8 KiB, in whole members.
    #[must_use]
    pub fn extract(headers: &HeaderMap, dice: &Dice) -> Self {
        let parent = single(headers, &TRACEPARENT).and_then(parse_parent);
        let state = parent.and_then(|_| list(headers, &TRACESTATE, MAX_STATE));
        let baggage = list(headers, &BAGGAGE, MAX_BAGGAGE);
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
        headers.insert(TRACEPARENT, self.traceparent());
        match self.tracestate() {
            Some(state) => {
                headers.insert(TRACESTATE, state.clone());
            }
            None => {
                headers.remove(TRACESTATE);
            }
        }
        if let Some(baggage) = self.baggage()
            && !headers.contains_key(BAGGAGE)
        {
            headers.insert(BAGGAGE, baggage.clone());
        }
    }

    /// This step as a `traceparent`, version 00.
    #[must_use]
    pub fn traceparent(&self) -> HeaderValue {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        self.trace_id().write_hex(&mut text[3..35]);
        self.span_id().write_hex(&mut text[36..52]);
        text[54] += u8::from(self.is_sampled());
        ascii(&text)
    }

    /// The trace as an `x-trace-id`: a UUID.
    #[must_use]
    pub fn x_trace_id(&self) -> HeaderValue {
        ascii(&self.trace_id().uuid())
    }
}

/// Hex digits and dashes, of which every header may consist.
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
        trace_id: TraceId::from_hex(&known[3..35], Case::Lower)?,
        span_id: SpanId::from_hex(&known[36..52], Case::Lower)?,
        sampled: flags & SAMPLED != 0,
    })
}

/// The members of a comma-separated list, of all its headers in order, as far as they fit.
fn list(headers: &HeaderMap, name: &HeaderName, max: usize) -> Option<HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    let second = values.next();
    if second.is_none() && first.len() <= max {
        return (!first.is_empty() && first.to_str().is_ok()).then(|| first.clone());
    }
    let mut joined: Vec<u8> = Vec::new();
    let values = headers.get_all(name).iter();
    let members = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    for member in members
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
    {
        if joined.len() + member.len() + usize::from(!joined.is_empty()) > max {
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
