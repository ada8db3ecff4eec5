//! What the answer to an HTTP request says about trying again.

use crate::{Failure, Judge};
use http::{HeaderValue, Response, StatusCode};
use ziggurat_core::{BoxError, Code, Grpc, Http, grpc, grpc::Pushback, headers};

// === impl Judge ===

impl<B> Judge<Response<B>> for Grpc {
    fn judge(&self, result: &Result<Response<B>, BoxError>) -> Option<Failure> {
        let response = match result {
            Ok(response) => response,
            Err(error) => return Some(Failure::from_error(&**error)),
        };
        let headers = response.headers();
        match grpc::status(headers) {
            Some(Code::Ok) => None,
            // The whole answer is in the headers: nothing has been handed to the caller yet.
            Some(code) => Some(Failure::answered(code).pushback(grpc::pushback(headers))),
            None if grpc::dialect(headers).is_some() => match response.status() {
                StatusCode::OK => None,
                // It speaks gRPC, and has committed the call; but it is no success.
                _ => Some(Failure::unwanted()),
            },
            // The page of a proxy, whatever its status: no success of the service.
            None => Some(of_status(response).unwrap_or(Failure::unwanted())),
        }
    }

    /// A pushback of "never" in an answer whose status is all there is, unless it has one.
    fn give_up(&self, result: &mut Result<Response<B>, BoxError>) {
        if let Ok(response) = result
            && let headers = response.headers_mut()
            && grpc::status(headers).is_some_and(|code| code != Code::Ok)
        {
            headers.entry(grpc::PUSHBACK).or_insert(grpc::NEVER);
        }
    }

    /// In the metadata of the answer (gRFC A6, "Exposed Retry Metadata"), whatever the peer says there.
    fn attempted(&self, result: &mut Result<Response<B>, BoxError>, previous: u32) {
        if let Ok(response) = result {
            let headers = response.headers_mut();
            headers.insert(grpc::PREVIOUS_ATTEMPTS, HeaderValue::from(previous));
        }
    }
}

impl<B> Judge<Response<B>> for Http {
    fn judge(&self, result: &Result<Response<B>, BoxError>) -> Option<Failure> {
        match result {
            Ok(response) => of_status(response),
            Err(error) => Some(Failure::from_error(&**error)),
        }
    }
}

/// What the answer of a proxy, or of a server that speaks plain HTTP, says.
fn of_status<B>(response: &Response<B>) -> Option<Failure> {
    let transient = matches!(
        response.status(),
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    );
    let failure = transient.then(|| Failure::lost(Code::from_http(response.status())))?;
    // RFC 9110, 10.2.3: how long to wait before a follow-up request. What it means beyond that it says of
    // 503 (and RFC 6585 of 429) alone, but a proxy that names a time with 502 or 504 is waited for, too.
    Some(failure.pushback(headers::retry_after(response.headers()).map(Pushback::After)))
}
