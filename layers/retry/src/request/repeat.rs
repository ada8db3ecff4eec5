//! The requests of the attempts, for those who speak gRPC and for those who do not.

use super::{Kept, wanted::wanted};
use crate::{Beginning, Repeat, ReplayBody, Settings, Wanted, chain, head::Told};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};
use http_body::Body;
use ziggurat_core::{Attempt, Deadline, Grpc, Http, clock::Instant, grpc};

/// What is up to the request's body and head alone.
macro_rules! by_kept {
    () => {
        #[inline]
        fn wanted(&self, request: &Request<B>, settings: &Settings) -> Wanted {
            wanted(self, request, settings)
        }

        #[inline]
        fn first(
            &self,
            request: Request<B>,
            kept: &mut Kept<B>,
            begins: &Beginning<'_>,
        ) -> Self::Request {
            request.map(|body| kept.keep(body, begins))
        }

        fn is_repeatable(&self, kept: &Kept<B>) -> bool {
            kept.body.is_repeatable()
        }

        fn rewind(&self, kept: &mut Kept<B>) -> bool {
            kept.body.rewind()
        }

        fn join(&self, kept: &mut Kept<B>) -> Option<u32> {
            kept.body.join()
        }

        fn choose(&self, kept: &mut Kept<B>, turn: u32) {
            kept.body.choose(turn);
        }

        fn commit(&self, kept: &mut Kept<B>) {
            kept.body.commit();
        }

        fn survivor(&self, kept: &Kept<B>) -> Option<u32> {
            kept.body.survivor()
        }

        fn method<'a>(&self, request: &'a Request<B>) -> Option<&'a str> {
            Some(request.uri().path())
        }

        fn is_crowded(&self, kept: &Kept<B>) -> bool {
            kept.body.is_crowded()
        }
    };
}

// === impl Repeat for Grpc ===

impl<B> Repeat<Request<B>> for Grpc
where
    B: Body<Data = Bytes>,
{
    type Request = Request<ReplayBody<B>>;
    type Kept = Kept<B>;

    #[inline]
    fn prepare(
        &self,
        request: &mut Request<B>,
        begins: &Beginning<'_>,
        attempt: impl FnOnce() -> Attempt,
    ) -> Kept<B> {
        let said = said(request.headers_mut(), begins.deadline.map(|(_, now)| now));
        Kept::prepare(request, said, begins.tells, begins, attempt)
    }

    fn begin(
        &self,
        kept: &mut Kept<B>,
        attempt: impl FnOnce() -> Attempt,
        deadline: Option<(Deadline, Instant)>,
    ) -> Self::Request {
        let mut request = kept.begin(attempt, deadline);
        kept.tell(request.headers_mut(), deadline);
        request
    }

    fn make(
        &self,
        kept: &mut Kept<B>,
        attempt: impl FnOnce() -> Attempt,
        deadline: Option<(Deadline, Instant)>,
    ) -> Self::Request {
        let attempt = attempt();
        let previous = attempt.number().saturating_sub(1);
        let mut request = kept.make(attempt, deadline);
        let headers = request.headers_mut();
        if previous > 0 {
            headers.insert(grpc::PREVIOUS_ATTEMPTS, HeaderValue::from(previous));
        }
        kept.tell(headers, deadline);
        request
    }

    by_kept!();
}

// === impl Repeat for Http ===

impl<B> Repeat<Request<B>> for Http
where
    B: Body<Data = Bytes>,
{
    type Request = Request<ReplayBody<B>>;
    type Kept = Kept<B>;

    #[inline]
    fn prepare(
        &self,
        request: &mut Request<B>,
        begins: &Beginning<'_>,
        attempt: impl FnOnce() -> Attempt,
    ) -> Kept<B> {
        Kept::prepare(request, None, false, begins, attempt)
    }

    fn begin(
        &self,
        kept: &mut Kept<B>,
        attempt: impl FnOnce() -> Attempt,
        deadline: Option<(Deadline, Instant)>,
    ) -> Self::Request {
        kept.begin(attempt, deadline)
    }

    fn make(
        &self,
        kept: &mut Kept<B>,
        attempt: impl FnOnce() -> Attempt,
        deadline: Option<(Deadline, Instant)>,
    ) -> Self::Request {
        let attempt = attempt();
        let again = attempt.number() > 1;
        let mut request = kept.make(attempt, deadline);
        if again {
            request.headers_mut().insert(chain::STOP, chain::AGAIN);
        }
        request
    }

    by_kept!();
}

/// What the caller says of the time, and no word of how many attempts came before: this layer counts.
#[inline]
fn said(headers: &mut HeaderMap, at: Option<Instant>) -> Option<Told> {
    let (told, attempted) = Told::by(headers, at);
    if attempted {
        headers.remove(grpc::PREVIOUS_ATTEMPTS);
    }
    told
}
