//! How an HTTP request is made once more.

use crate::{
    Failure, Judge, Repeat, ReplayBody, ReplayRoom, Settings, Wanted, chain,
    head::{Copied, Told},
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
    /// The head, where there is no body to keep it beside.
    own: Option<Box<Copied>>,
    body: Replay<B>,
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
    /// Takes a request apart. What can be sent only once has no need of a copy of its head, unless
    /// there must be one in any case.
    #[inline]
    fn take(
        request: Request<B>,
        told: Option<Told>,
        settings: &Settings,
        room: &ReplayRoom,
        always: bool,
    ) -> (Parts, Self) {
        let (mut head, body) = request.into_parts();
        if settings.chain_stop && chain::is_again() {
            head.headers.insert(chain::STOP, chain::AGAIN);
        }
        let copy = |again| (always || again).then(|| Copied::of(&head, told));
        let share = room.share(settings.replay_total);
        let body = Replay::beside(body, settings.replay_limit, share, copy);
        let own = body.is_empty().then(|| Box::new(Copied::of(&head, told)));
        (head, Self { own, body })
    }

    #[inline]
    fn first(
        request: Request<B>,
        told: Option<Told>,
        settings: &Settings,
        room: &ReplayRoom,
    ) -> (Parts, Self) {
        Self::take(request, told, settings, room, false)
    }

    /// The request of an attempt that nobody has told which one it is.
    #[inline]
    fn begin(
        &self,
        mut head: Parts,
        attempt: impl FnOnce() -> Attempt,
        deadline: Option<Deadline>,
    ) -> Request<ReplayBody<B>> {
        // What a layer further out says of its attempts is not said of these.
        if let Some(theirs) = head.extensions.get_mut::<Attempt>() {
            *theirs = attempt();
        }
        self.finish(head, deadline)
    }

    fn make(
        &self,
        mut head: Parts,
        attempt: Attempt,
        deadline: Option<Deadline>,
    ) -> Request<ReplayBody<B>> {
        head.extensions.insert(attempt);
        self.finish(head, deadline)
    }

    #[inline]
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
    /// The head of an attempt that follows.
    fn head(&self) -> Parts {
        self.copied()
            .map_or_else(|| Request::new(()).into_parts().0, Copied::parts)
    }

    fn told(&self) -> Option<Told> {
        self.copied().and_then(Copied::told)
    }

    /// `None`: no attempt follows.
    fn copied(&self) -> Option<&Copied> {
        self.own.as_deref().or_else(|| self.body.head())
    }
}

impl<B> fmt::Debug for Kept<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("head", &self.copied())
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
        let told = said(&mut request);
        Kept::take(request, told, settings, room, true).1
    }

    #[inline]
    fn first(
        &self,
        mut request: Request<B>,
        settings: &Settings,
        room: &ReplayRoom,
        attempt: impl FnOnce() -> Attempt,
        told: bool,
        deadline: Option<(Deadline, Instant)>,
    ) -> (Self::Request, Kept<B>) {
        let said = said(&mut request);
        let (head, kept) = Kept::first(request, said, settings, room);
        let by = deadline.map(|(deadline, _)| deadline);
        let mut request = if told {
            kept.make(head, attempt(), by)
        } else {
            kept.begin(head, attempt, by)
        };
        tell(request.headers_mut(), said, deadline);
        (request, kept)
    }

    fn begin(
        &self,
        kept: &mut Kept<B>,
        attempt: impl FnOnce() -> Attempt,
        deadline: Option<(Deadline, Instant)>,
    ) -> Self::Request {
        let by = deadline.map(|(deadline, _)| deadline);
        let mut request = kept.begin(kept.head(), attempt, by);
        tell(request.headers_mut(), kept.told(), deadline);
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
        let by = deadline.map(|(deadline, _)| deadline);
        let mut request = kept.make(kept.head(), attempt, by);
        let headers = request.headers_mut();
        if previous > 0 {
            headers.insert(grpc::PREVIOUS_ATTEMPTS, HeaderValue::from(previous));
        }
        tell(headers, kept.told(), deadline);
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
        Kept::take(request, None, settings, room, true).1
    }

    #[inline]
    fn first(
        &self,
        request: Request<B>,
        settings: &Settings,
        room: &ReplayRoom,
        attempt: impl FnOnce() -> Attempt,
        told: bool,
        deadline: Option<(Deadline, Instant)>,
    ) -> (Self::Request, Kept<B>) {
        let (head, kept) = Kept::first(request, None, settings, room);
        let by = deadline.map(|(deadline, _)| deadline);
        let request = if told {
            kept.make(head, attempt(), by)
        } else {
            kept.begin(head, attempt, by)
        };
        (request, kept)
    }

    fn begin(
        &self,
        kept: &mut Kept<B>,
        attempt: impl FnOnce() -> Attempt,
        deadline: Option<(Deadline, Instant)>,
    ) -> Self::Request {
        let by = deadline.map(|(deadline, _)| deadline);
        kept.begin(kept.head(), attempt, by)
    }

    fn make(
        &self,
        kept: &mut Kept<B>,
        attempt: impl FnOnce() -> Attempt,
        deadline: Option<(Deadline, Instant)>,
    ) -> Self::Request {
        let attempt = attempt();
        let again = attempt.number() > 1;
        let by = deadline.map(|(deadline, _)| deadline);
        let mut request = kept.make(kept.head(), attempt, by);
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

/// Eight bytes at a time, and good enough for a handful of methods.
pub(crate) fn hash(path: &str) -> u64 {
    // 2^64 divided by the golden ratio, as Fibonacci hashing has it.
    const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |hash: u64, word: [u8; 8]| {
        let hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(SPREAD);
        // The low bits tell the methods apart, and only the high ones know of all bytes.
        hash ^ hash >> 32
    };
    let (words, rest) = path.as_bytes().as_chunks::<8>();
    let hash = words
        .iter()
        .fold(path.len() as u64, |hash, word| mix(hash, *word));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(hash, last)
}

/// What the caller says of the time, and no word of how many attempts came before: this layer counts.
#[inline]
fn said<B>(request: &mut Request<B>) -> Option<Told> {
    let (told, attempted) = Told::by(request.headers());
    if attempted {
        request.headers_mut().remove(grpc::PREVIOUS_ATTEMPTS);
    }
    told
}

/// What the server of the attempt that begins now is told of the time.
#[inline]
fn tell(headers: &mut HeaderMap, told: Option<Told>, deadline: Option<(Deadline, Instant)>) {
    let Some((deadline, now)) = deadline else {
        return;
    };
    let left = match told {
        Some(told) => told.remaining(now),
        None => Some(deadline.remaining(now)),
    };
    if let Some(left) = left {
        headers.insert(grpc::TIMEOUT, grpc::encode_timeout(left));
    }
}

fn speaks_grpc<B>(response: &Response<B>) -> bool {
    let content_type = grpc::header(response.headers(), &CONTENT_TYPE);
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
