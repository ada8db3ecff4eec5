//! How an HTTP request is made once more.

use crate::{
    Failure, Judge, Repeat, ReplayBody, ReplayRoom, Settings, Wanted, chain,
    head::{Head, Told},
    replay::Replay,
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
    request::Parts,
};
use http_body::Body;
use std::{fmt, time::Duration};
use ziggurat_core::{
    Attempt, BoxError, Carry, Code, Deadline, Grpc, Http, clock::Instant, grpc, grpc::Pushback,
};

/// What is kept of an HTTP request: its head, and as much of its body as the limit allows.
pub struct Kept<B> {
    head: Head,
    body: Replay<B>,
    told: Option<Told>,
}

/// What is up to the request's body and head alone.
macro_rules! by_kept {
    () => {
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

// === impl Kept ===

impl<B: Body<Data = Bytes>> Kept<B> {
    fn new(request: Request<B>, settings: &Settings, room: &ReplayRoom) -> Self {
        let (mut head, body) = request.into_parts();
        if settings.chain_stop && chain::is_again() {
            head.headers.insert(chain::STOP, chain::AGAIN);
        }
        let share = room.share(settings.replay_total);
        Self {
            head: Head::new(head),
            body: Replay::new(body, settings.replay_limit, share),
            told: None,
        }
    }

    /// The request of the first attempt: what is put into it costs more than all else here.
    fn begin(
        &mut self,
        attempt: impl FnOnce() -> Attempt,
        deadline: Option<Deadline>,
    ) -> Request<ReplayBody<B>> {
        let mut head = self.head.next(self.body.is_repeatable());
        // What a layer further out says of its attempts is not said of these.
        if let Some(theirs) = head.extensions.get_mut::<Attempt>() {
            *theirs = attempt();
        }
        self.finish(head, deadline)
    }

    fn make(&mut self, attempt: Attempt, deadline: Option<Deadline>) -> Request<ReplayBody<B>> {
        let mut head = self.head.next(self.body.is_repeatable());
        head.extensions.insert(attempt);
        self.finish(head, deadline)
    }

    fn finish(&self, mut head: Parts, deadline: Option<Deadline>) -> Request<ReplayBody<B>> {
        if let Some(deadline) = deadline
            && head.extensions.get() != Some(&deadline)
        {
            head.extensions.insert(deadline);
        }
        Request::from_parts(head, self.body.body())
    }
}

impl<B> Kept<B> {
    /// What the server of the attempt that begins now is told of the time.
    fn tell(&self, headers: &mut HeaderMap, deadline: Option<(Deadline, Instant)>) {
        let Some((deadline, now)) = deadline else {
            return;
        };
        let left = match self.told {
            Some(told) => told.remaining(now),
            None => Some(deadline.remaining(now)),
        };
        if let Some(left) = left {
            headers.insert(grpc::TIMEOUT, grpc::encode_timeout(left));
        }
    }
}

impl<B> fmt::Debug for Kept<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

// === impl Repeat for Grpc ===

impl<B> Repeat<Request<B>> for Grpc
where
    B: Body<Data = Bytes>,
{
    type Request = Request<ReplayBody<B>>;
    type Kept = Kept<B>;

    fn wanted(&self, request: &Request<B>, settings: &Settings) -> Wanted {
        wanted(self, request, settings)
    }

    fn keep(&self, mut request: Request<B>, settings: &Settings, room: &ReplayRoom) -> Kept<B> {
        let (told, attempted) = Told::by(request.headers());
        if attempted {
            request.headers_mut().remove(grpc::PREVIOUS_ATTEMPTS);
        }
        let mut kept = Kept::new(request, settings, room);
        kept.told = told;
        kept
    }

    fn begin(
        &self,
        kept: &mut Kept<B>,
        attempt: impl FnOnce() -> Attempt,
        deadline: Option<(Deadline, Instant)>,
    ) -> Self::Request {
        let mut request = kept.begin(attempt, deadline.map(|(deadline, _)| deadline));
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
        let mut request = kept.make(attempt, deadline.map(|(deadline, _)| deadline));
        let headers = request.headers_mut();
        if previous > 0 {
            headers.insert(grpc::PREVIOUS_ATTEMPTS, HeaderValue::from(previous));
        }
        kept.tell(headers, deadline);
        request
    }

    by_kept!();
}

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
            None if speaks_grpc(response) => None,
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
}

// === impl Repeat for Http ===

impl<B> Repeat<Request<B>> for Http
where
    B: Body<Data = Bytes>,
{
    type Request = Request<ReplayBody<B>>;
    type Kept = Kept<B>;

    fn wanted(&self, request: &Request<B>, settings: &Settings) -> Wanted {
        wanted(self, request, settings)
    }

    fn keep(&self, request: Request<B>, settings: &Settings, room: &ReplayRoom) -> Kept<B> {
        Kept::new(request, settings, room)
    }

    fn begin(
        &self,
        kept: &mut Kept<B>,
        attempt: impl FnOnce() -> Attempt,
        deadline: Option<(Deadline, Instant)>,
    ) -> Self::Request {
        kept.begin(attempt, deadline.map(|(deadline, _)| deadline))
    }

    fn make(
        &self,
        kept: &mut Kept<B>,
        attempt: impl FnOnce() -> Attempt,
        deadline: Option<(Deadline, Instant)>,
    ) -> Self::Request {
        let attempt = attempt();
        let again = attempt.number() > 1;
        let mut request = kept.make(attempt, deadline.map(|(deadline, _)| deadline));
        if again {
            request.headers_mut().insert(chain::STOP, chain::AGAIN);
        }
        request
    }

    by_kept!();
}

impl<B> Judge<Response<B>> for Http {
    fn judge(&self, result: &Result<Response<B>, BoxError>) -> Option<Failure> {
        match result {
            Ok(response) => of_status(response),
            Err(error) => Some(Failure::from_error(&**error)),
        }
    }
}

fn wanted<C, B>(carry: &C, request: &Request<B>, settings: &Settings) -> Wanted
where
    C: Carry<Request<B>>,
{
    let path = request.uri().path();
    let idempotent = settings.assume_idempotent
        || request.method().is_idempotent()
        || settings.idempotent_paths.is_some_and(|known| known(path));
    let wanted = Wanted::of(carry, request, idempotent);
    if wanted.idempotent {
        wanted.method(hash(path))
    } else {
        // Nobody measures it.
        wanted
    }
}

/// FNV-1a: short, and good enough for a handful of methods.
pub(crate) fn hash(path: &str) -> u64 {
    path.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn speaks_grpc<B>(response: &Response<B>) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
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
    Some(failure.pushback(retry_after(response.headers()).map(Pushback::After)))
}

/// A number of seconds, however large. A date is not read: it would need a clock on the wall.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let digits = headers.get(RETRY_AFTER)?.as_bytes();
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let seconds = digits.iter().fold(0_u64, |seconds, digit| {
        let digit = u64::from(digit.wrapping_sub(b'0'));
        seconds.saturating_mul(10).saturating_add(digit)
    });
    plain.then_some(Duration::from_secs(seconds))
}
