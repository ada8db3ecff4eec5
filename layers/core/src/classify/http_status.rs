//! The outcome of a plain HTTP call: its status, and a body that arrives whole.

use super::{Carry, Classify, failed, recorded::Ending};
use crate::{BoxError, Outcome, Record, Recorded, Recorder, headers};
use http::{Extensions, Request, Response, StatusCode};
use http_body::Body;
use std::time::Duration;

/// For plain HTTP: 5xx is a failure (504 a timeout), 429 an overload, anything else a success once
/// its body has arrived whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct Http;

// === impl Http ===

impl<B: Body> Classify<Response<B>> for Http {
    type Response<R: Record> = Response<Recorded<B, R>>;

    #[inline(always)]
    fn observe<R: Record>(
        &self,
        result: Result<Response<B>, BoxError>,
        mut recorder: Recorder<R>,
    ) -> Result<Self::Response<R>, BoxError> {
        match result {
            Ok(response) => {
                match by_status(response.status()) {
                    Outcome::Success if !response.body().is_end_stream() => recorder.responded(),
                    outcome => recorder.answered(outcome),
                }
                let (head, body) = response.into_parts();
                let body = Recorded::new(body, recorder, Ending::Http);
                Ok(Response::from_parts(head, body))
            }
            Err(error) => Err(failed(error, recorder)),
        }
    }

    fn attach<T: Clone + Send + Sync + 'static>(&self, response: &mut Response<B>, word: T) {
        response.extensions_mut().insert(word);
    }

    fn pushback(&self, response: &Response<B>) -> Option<Duration> {
        pushback(response)
    }
}

impl<B> Carry<Request<B>> for Http {
    fn extensions<'r>(&self, request: &'r Request<B>) -> Option<&'r Extensions> {
        Some(request.extensions())
    }

    fn extensions_mut<'r>(&self, request: &'r mut Request<B>) -> Option<&'r mut Extensions> {
        Some(request.extensions_mut())
    }
}

/// What `Retry-After` says, with a status that means that the peer has no room now (RFC 9110, 10.2.3;
/// RFC 6585, 4).
#[inline]
pub(super) fn pushback<B>(response: &Response<B>) -> Option<Duration> {
    let no_room = [
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    let asks = no_room.contains(&response.status());
    asks.then(|| headers::retry_after(response.headers()))?
}

fn by_status(status: StatusCode) -> Outcome {
    match status {
        StatusCode::GATEWAY_TIMEOUT => Outcome::Timeout,
        StatusCode::TOO_MANY_REQUESTS => Outcome::Overload,
        status if status.is_server_error() => Outcome::Failure,
        _ => Outcome::Success,
    }
}
