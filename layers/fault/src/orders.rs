//! Faults that a request orders for itself, in the headers of Envoy's fault filter
//! (envoyproxy/envoy, `docs/root/configuration/http/http_filters/fault_filter.rst`) and gRFC A33.

use crate::{Abort, Observer, plan::Plan};
use http::{HeaderMap, HeaderName, StatusCode};
use std::{num::NonZeroU64, time::Duration};
use ziggurat_core::{Code, Dice};

const ABORT_HTTP: HeaderName = HeaderName::from_static("x-envoy-fault-abort-request");
const ABORT_GRPC: HeaderName = HeaderName::from_static("x-envoy-fault-abort-grpc-request");
const ABORT_SHARE: HeaderName = HeaderName::from_static("x-envoy-fault-abort-request-percentage");
const DELAY: HeaderName = HeaderName::from_static("x-envoy-fault-delay-request");
const DELAY_SHARE: HeaderName = HeaderName::from_static("x-envoy-fault-delay-request-percentage");
const THROUGHPUT: HeaderName = HeaderName::from_static("x-envoy-fault-throughput-response");
const THROUGHPUT_SHARE: HeaderName =
    HeaderName::from_static("x-envoy-fault-throughput-response-percentage");

/// What a header may ask for at most, whatever it says.
const MAX_DELAY: Duration = Duration::from_secs(300);
const KIB: u64 = 1_024;

/// Writes what `headers` order into `plan`, for at most a `share` of the requests.
pub(crate) fn follow(
    plan: &mut Plan,
    headers: &HeaderMap,
    share: f64,
    dice: &Dice,
    told: &dyn Observer,
) {
    let orders = Orders {
        headers,
        share,
        dice,
        told,
    };
    let status = |number| StatusCode::from_u16(u16::try_from(number).ok()?).ok();
    let code = |number| Code::from_number(u32::try_from(number).ok()?);
    let http = |number| (200..600).contains(&number).then(|| status(number))?;
    let abort = match headers.contains_key(ABORT_HTTP) {
        // The HTTP status wins, as Envoy has it.
        true => orders.read(&ABORT_HTTP, |n| Some(Abort::status(http(n)?))),
        false => orders.read(&ABORT_GRPC, |n| Some(Abort::with(code(n)?))),
    };
    if let Some(abort) = abort {
        plan.abort = orders.draw(&ABORT_SHARE).then_some(abort);
    }
    if let Some(delay) = orders.read(&DELAY, |ms| Some(Duration::from_millis(ms))) {
        let delay = delay.min(MAX_DELAY);
        plan.delay = orders.draw(&DELAY_SHARE).then_some(delay);
    }
    let bytes = |kib: u64| NonZeroU64::new(kib.saturating_mul(KIB));
    if let Some(bytes) = orders.read(&THROUGHPUT, bytes) {
        plan.bandwidth = orders.draw(&THROUGHPUT_SHARE).then_some(bytes);
    }
}

struct Orders<'r> {
    headers: &'r HeaderMap,
    share: f64,
    dice: &'r Dice,
    told: &'r dyn Observer,
}

// === impl Orders ===

impl Orders<'_> {
    fn read<T>(&self, name: &HeaderName, read: impl FnOnce(u64) -> Option<T>) -> Option<T> {
        let value = self.headers.get(name)?;
        let number = value.to_str().ok().and_then(|text| text.parse().ok());
        let order = number.and_then(read);
        if order.is_none() {
            self.told.malformed(name, value);
        }
        order
    }

    /// Is this request one of the share that the header `name` asks for? All, if it is not there.
    fn draw(&self, name: &HeaderName) -> bool {
        let share = match self.headers.contains_key(name) {
            false => 1.0,
            // What makes no sense is no share.
            true => self
                .read(name, |percent: u64| Some(percent as f64 / 100.0))
                .unwrap_or(0.0),
        };
        self.dice.fraction() < share.min(self.share)
    }
}
