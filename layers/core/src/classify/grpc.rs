//! The outcome of a gRPC call: its status is in the trailers, and HTTP 200 says nothing.

use super::{Carry, Classify, failed, http_status, recorded::Ending};
use crate::{
    BoxError, CallOptions, Code, Deadline, Outcome, Record, Recorded, Recorder, clock,
    grpc::{self, Follows},
};
use http::{Extensions, Request, Response, StatusCode};
use http_body::Body;
use std::time::Duration;

/// For gRPC over HTTP/2: the outcome is that of the status, wherever it stands.
///
/// Without a status, cut off, or from something that does not speak gRPC, an answer is a failure
/// (HTTP statuses by gRPC's mapping). So is one of CANCELLED: who still reads it has cancelled nothing,
/// and servers whose own timer ends a call say so (tonic's do). gRPC-Web has its status in a message, where
/// nobody looks: it is a success once it is here in full.
#[derive(Clone, Copy, Debug, Default)]
pub struct Grpc;

// === impl Grpc ===

impl<B: Body> Classify<Response<B>> for Grpc {
    type Response<R: Record> = Response<Recorded<B, R>>;

    // By force: an answer is moved through every call that is not inlined.
    #[inline(always)]
    fn observe<R: Record>(
        &self,
        result: Result<Response<B>, BoxError>,
        recorder: Recorder<R>,
    ) -> Result<Self::Response<R>, BoxError> {
        match result {
            Ok(response) => self.observe_response(response, recorder),
            Err(error) => Err(failed(error, recorder)),
        }
    }

    #[inline(always)]
    fn observe_response<R: Record>(
        &self,
        response: Response<B>,
        mut recorder: Recorder<R>,
    ) -> Result<Self::Response<R>, BoxError> {
        let ending = match settled(&response) {
            Ok(outcome) => {
                recorder.trailers(response.headers());
                recorder.answered(outcome);
                Ending::Grpc
            }
            Err(ending) => {
                recorder.responded();
                ending
            }
        };
        Ok(response.map(|body| Recorded::new(body, recorder, ending)))
    }

    fn attach<T: Clone + Send + Sync + 'static>(&self, response: &mut Response<B>, word: T) {
        response.extensions_mut().insert(word);
    }

    fn pushback(&self, response: &Response<B>) -> Option<Duration> {
        match grpc::pushback(response.headers()) {
            Some(grpc::Pushback::After(pushback)) => Some(pushback),
            Some(grpc::Pushback::Never) => None,
            // A proxy's.
            None => http_status::pushback(response),
        }
    }
}

impl<B> Carry<Request<B>> for Grpc {
    fn extensions<'r>(&self, request: &'r Request<B>) -> Option<&'r Extensions> {
        Some(request.extensions())
    }

    fn extensions_mut<'r>(&self, request: &'r mut Request<B>) -> Option<&'r mut Extensions> {
        Some(request.extensions_mut())
    }

    fn deadline(&self, request: &Request<B>) -> Option<Deadline> {
        let extensions = request.extensions();
        let wanted = extensions
            .get::<CallOptions>()
            .and_then(|options| options.deadline);
        let settled = extensions.get::<Deadline>().copied();
        let known = Deadline::earlier(settled, wanted);
        // Who settled it has read the header: a layer of ours, further out.
        if settled.is_some() {
            return known;
        }
        // A caller's own timer may stand outside of ours, and only the header tells.
        let asked = grpc::timeout(request.headers());
        Deadline::earlier(
            known,
            asked.map(|timeout| Deadline::after_from(timeout, clock::now())),
        )
    }
}

/// The outcome, if the head of the response already tells, or else what its body must end with.
fn settled<B: Body>(response: &Response<B>) -> Result<Outcome, Ending> {
    let (status, follows) = grpc::head(response.headers());
    if let Some(code) = status {
        return Ok(Outcome::from(code));
    }
    if response.status() != StatusCode::OK {
        return Ok(match Code::from_http(response.status()).into() {
            // A proxy's word for itself says nothing good about the service.
            Outcome::Success => Outcome::Failure,
            outcome => outcome,
        });
    }
    match follows {
        Follows::Other => Ok(Outcome::Failure),
        _ if response.body().is_end_stream() => Ok(Outcome::Failure),
        Follows::Grpc => Err(Ending::Grpc),
        // Nobody looks into the messages: it is a success once all of them are here.
        Follows::Web => Err(Ending::Http),
    }
}
