//! What becomes of the headers of a stranger.

use crate::{
    Distrusted, Settings,
    ids::{is_id, unsampled},
    networks::is_in,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{net::IpAddr, time::Duration};
use ziggurat_core::{Criticality, grpc};

static BAGGAGE: HeaderName = HeaderName::from_static("baggage");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
static IDS: [HeaderName; 2] = [
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-trace-id"),
];
/// Besides the standard's and the prefix: what proxies and networks in front of servers write of their
/// own, and libraries behind them read.
const FORWARDING: [&str; 22] = [
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-envoy-external-address",
    "true-client-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "fastly-client-ip",
    "fly-client-ip",
    "cloudfront-viewer-address",
    "forwarded-for",
    "client-ip",
    "cf-pseudo-ipv4",
    "x-appengine-user-ip",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-nf-client-connection-ip",
    "x-originating-ip",
    "x-remote-ip",
    "x-vercel-forwarded-for",
];
const FORWARDING_PREFIX: &str = "x-forwarded";

/// Drops, clamps and bounds; tells `told` of each kind of thing once.
pub(crate) fn distrust(
    headers: &mut HeaderMap,
    settings: &Settings,
    peer: Option<IpAddr>,
    mut told: impl FnMut(Distrusted),
) {
    criticality(headers, settings.criticality, &mut told);
    if drop_all(headers, &grpc::CHAIN_STOP) | drop_all(headers, &grpc::PREVIOUS_ATTEMPTS) {
        told(Distrusted::Attempts);
    }
    if drop_all(headers, &BAGGAGE) {
        told(Distrusted::Baggage);
    }
    trace(headers, &mut told);
    let [request, trace] = &IDS;
    if drop_no_id(headers, request) | drop_no_id(headers, trace) {
        told(Distrusted::Id);
    }
    if !is_in(&settings.proxies, peer) && drop_forwarding(headers) {
        told(Distrusted::Forwarding);
    }
    if let Some(most) = settings.timeout {
        timeouts(headers, most, settings.header.as_ref(), &mut told);
    }
}

/// Before the baggage is dropped: who says there that it matters less is believed.
fn criticality(headers: &mut HeaderMap, most: Criticality, told: &mut impl FnMut(Distrusted)) {
    let Some(said) = Criticality::find(&http::Extensions::new(), headers) else {
        // Who says nothing is what the default says, but no more than it may be.
        let level = Criticality::default().min(most);
        if drop_all(headers, &Criticality::HEADER) {
            told(Distrusted::Criticality);
        }
        if level != Criticality::default() {
            headers.insert(Criticality::HEADER, level.header_value());
        }
        return;
    };
    if said > most {
        told(Distrusted::Criticality);
    }
    // One value, whatever else was said.
    headers.insert(Criticality::HEADER, said.min(most).header_value());
}

fn trace(headers: &mut HeaderMap, told: &mut impl FnMut(Distrusted)) {
    let mut parents = headers.get_all(&TRACEPARENT).iter();
    let (first, more) = (parents.next(), parents.next().is_some());
    let clean = first.filter(|_| !more).and_then(unsampled);
    let same = clean.as_ref() == first;
    match clean {
        Some(_) if same => return,
        Some(clean) => _ = headers.insert(&TRACEPARENT, clean),
        None => {
            // State without a parent is nobody's.
            if !(drop_all(headers, &TRACEPARENT) | drop_all(headers, &TRACESTATE)) {
                return;
            }
        }
    }
    told(Distrusted::Trace);
}

/// More than one id is none.
fn drop_no_id(headers: &mut HeaderMap, name: &HeaderName) -> bool {
    let mut ids = headers.get_all(name).iter();
    let keep = match (ids.next(), ids.next()) {
        (Some(id), None) => is_id(id.as_bytes()),
        (one, _) => one.is_none(),
    };
    !keep && drop_all(headers, name)
}

fn drop_forwarding(headers: &mut HeaderMap) -> bool {
    let forwards = |name: &HeaderName| {
        let name = name.as_str();
        FORWARDING.contains(&name) || name.starts_with(FORWARDING_PREFIX)
    };
    // Nearly every request has none, for which this allocates nothing.
    let names: Vec<_> = headers
        .keys()
        .filter(|name| forwards(name))
        .cloned()
        .collect();
    for name in &names {
        headers.remove(name);
    }
    !names.is_empty()
}

fn timeouts(
    headers: &mut HeaderMap,
    most: Duration,
    header: Option<&HeaderName>,
    told: &mut impl FnMut(Distrusted),
) {
    let read = |value: &HeaderValue| grpc::decode_timeout(value).ok();
    let mut lowered = bound(
        headers,
        &grpc::TIMEOUT,
        most,
        read,
        grpc::encode_timeout(most),
    );
    if let Some(name) = header {
        let millis = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        lowered |= bound(headers, name, most, millis_of, millis.into());
    }
    if lowered {
        told(Distrusted::Deadline);
    }
}

fn millis_of(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let millis = text.parse().ok().filter(|_| digits)?;
    Some(Duration::from_millis(millis))
}

/// Makes one value of what is too long, twofold or senseless.
fn bound(
    headers: &mut HeaderMap,
    name: &HeaderName,
    most: Duration,
    read: impl Fn(&HeaderValue) -> Option<Duration>,
    at_most: HeaderValue,
) -> bool {
    let mut values = headers.get_all(name).iter();
    let fine = match (values.next(), values.next()) {
        (None, _) => true,
        (Some(value), None) => read(value).is_some_and(|timeout| timeout <= most),
        (Some(_), Some(_)) => false,
    };
    if !fine {
        headers.insert(name, at_most);
    }
    !fine
}

fn drop_all(headers: &mut HeaderMap, name: &HeaderName) -> bool {
    headers.remove(name).is_some()
}
