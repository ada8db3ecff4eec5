//! What a client is told when a call failed: the status that HTTP has for it, and when to come back.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::{fmt, time::Duration};
use tonic::Status;
use ziggurat::core::{
    Code,
    grpc::{self, Pushback},
};

/// A call that failed.
#[derive(Debug)]
pub(super) struct Refusal {
    code: Code,
    message: String,
    pushback: Option<Pushback>,
}

// === impl Refusal ===

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self {
            code: status.code().into(),
            message: status.message().to_owned(),
            pushback: grpc::pushback(&status.metadata().clone().into_headers()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"error": self.message, "code": self.code.to_string()});
        let mut response = (self.code.to_http(), Json(body)).into_response();
        let after = match (self.pushback, response.status()) {
            (Some(Pushback::After(time)), _) => Some(time),
            // It may have been done: nobody is invited to have it done twice.
            (Some(Pushback::Never), _) => None,
            (None, StatusCode::SERVICE_UNAVAILABLE) => Some(Duration::ZERO),
            (None, _) => None,
        };
        if let Some(after) = after {
            response.headers_mut().insert(RETRY_AFTER, seconds(after));
        }
        response
    }
}

/// Who ran out of time, or found no place, may come back in a moment.
pub(super) async fn retry_after(mut response: Response) -> Response {
    let (late, full) = (StatusCode::GATEWAY_TIMEOUT, StatusCode::TOO_MANY_REQUESTS);
    if [late, full].contains(&response.status()) {
        let headers = response.headers_mut();
        headers
            .entry(RETRY_AFTER)
            .or_insert(seconds(Duration::ZERO));
    }
    response
}

/// Whole seconds, rounded up: nobody is to come back too early, or at once.
fn seconds(after: Duration) -> HeaderValue {
    let rounded = u64::from(after.subsec_nanos() > 0);
    after.as_secs().saturating_add(rounded).max(1).into()
}
