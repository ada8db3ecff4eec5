//! Where the outcome of a call is read from, and where its words are carried.
//!
//! The stack is given one [`Classify`] value; each layer settles a [`Record`] of its own by it, so
//! they cannot disagree.

mod grpc;
mod http_status;
mod observed;
mod recorded;

pub use self::{grpc::Grpc, http_status::Http, observed::Observed, recorded::Recorded};

use crate::{
    BoxError, BrokenRequest, CallOptions, Deadline, Outcome, Record, Recorder, Rejection, error,
};
use http::Extensions;
use std::time::Duration;

/// Reads the outcome of a call from its answer, to the end of a body if it has one.
///
/// Errors come boxed: a failure's cause is found by walking, so its type says nothing here.
pub trait Classify<Rsp>: Clone {
    /// The answer once it is watched: `Rsp` itself, or one whose body settles the record.
    type Response<R: Record>;

    /// Settles `recorder` by `result`, now or when the body of the answer has ended.
    ///
    /// # Errors
    ///
    /// The error it was given.
    fn observe<R: Record>(
        &self,
        result: Result<Rsp, BoxError>,
        recorder: Recorder<R>,
    ) -> Result<Self::Response<R>, BoxError>;

    /// [`observe`](Self::observe) of an answer that is here: what is not put into a `Result` first is
    /// not moved out of it again.
    ///
    /// # Errors
    ///
    /// None, for a classifier that hands on what it is given.
    #[inline(always)]
    fn observe_response<R: Record>(
        &self,
        response: Rsp,
        recorder: Recorder<R>,
    ) -> Result<Self::Response<R>, BoxError> {
        self.observe(Ok(response), recorder)
    }

    /// Attaches a word to an answer, where answers can carry one.
    fn attach<T: Clone + Send + Sync + 'static>(&self, response: &mut Rsp, word: T) {
        let _ = (response, word);
    }

    /// How long the peer asks to be left alone, as far as the head of its answer tells.
    fn pushback(&self, response: &Rsp) -> Option<Duration> {
        let _ = response;
        None
    }
}

/// Finds the words of ours that a request carries, where requests can carry any.
pub trait Carry<Req> {
    /// The extensions of the request. `None`: such requests carry none.
    fn extensions<'r>(&self, request: &'r Req) -> Option<&'r Extensions> {
        let _ = request;
        None
    }

    /// The extensions of the request, to write a word into.
    fn extensions_mut<'r>(&self, request: &'r mut Req) -> Option<&'r mut Extensions> {
        let _ = request;
        None
    }

    /// When the call must be over, as far as the request tells.
    fn deadline(&self, request: &Req) -> Option<Deadline> {
        let extensions = self.extensions(request)?;
        let wanted = extensions
            .get::<CallOptions>()
            .and_then(|options| options.deadline);
        Deadline::earlier(extensions.get::<Deadline>().copied(), wanted)
    }
}

/// For answers that are plain values: `Ok` is a success, an error is what its cause says.
///
/// An error caused by a [`Rejection`](crate::Rejection) is the outcome of its code; any other is a failure.
/// So is one that says CANCELLED: who still reads it has cancelled nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByResult;

// === impl ByResult ===

impl<Rsp> Classify<Rsp> for ByResult {
    type Response<R: Record> = Rsp;

    #[inline(always)]
    fn observe<R: Record>(
        &self,
        result: Result<Rsp, BoxError>,
        recorder: Recorder<R>,
    ) -> Result<Rsp, BoxError> {
        match result {
            Ok(response) => {
                recorder.settle(Outcome::Success);
                Ok(response)
            }
            Err(error) => Err(failed(error, recorder)),
        }
    }
}

impl<Req> Carry<Req> for ByResult {}

/// Apart from successes, which would carry what only this needs.
#[inline(never)]
fn failed<R: Record>(error: BoxError, mut recorder: Recorder<R>) -> BoxError {
    let rejection = error::find::<Rejection>(&*error);
    if error::find::<BrokenRequest>(&*error).is_some()
        || rejection.is_some_and(Rejection::is_by_caller)
    {
        recorder.withdrawn();
    } else {
        recorder.answered(outcome_of(&*error));
    }
    error
}

/// The outcome that an error stands for, by the cause down its chain that says most.
fn outcome_of(error: &(dyn std::error::Error + 'static)) -> Outcome {
    error::code(error).map_or(Outcome::Failure, Outcome::from)
}
