//! How an HTTP request is made once more.

use crate::{
    Beginning, Repeat, ReplayBody, Settings, Wanted, chain,
    head::{Copied, Told},
    replay::{Replay, is_within},
};
use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderValue, Request, request::Parts};
use http_body::Body;
use std::fmt;
use ziggurat_core::{Attempt, Carry, Deadline, Grpc, Http, clock::Instant, grpc};

/// What is kept of an HTTP request: its head, and as much of its body as the limit allows.
pub struct Kept<B> {
    /// The head, where there is no body to keep it beside.
    own: Option<Box<Copied>>,
    body: Replay<B>,
    /// Its attempts say in a header how long they may take.
    tells: bool,
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
    /// Makes the request of the first attempt of the caller's own. A copy of its head is kept, unless
    /// it can be sent only once.
    // Inlined by force: a request is moved into every function that is not, and out of it.
    #[inline(always)]
    fn first(
        &mut self,
        request: Request<B>,
        said: Option<Told>,
        begins: &Beginning<'_>,
        attempt: impl FnOnce() -> Attempt,
    ) -> Request<ReplayBody<B>> {
        let (mut head, body) = request.into_parts();
        if begins.once {
            head.headers.insert(chain::STOP, chain::AGAIN);
        }
        let body = self.keep(&head, body, said, begins);
        if begins.told {
            head.extensions.insert(attempt());
        } else {
            disown(&mut head.extensions, attempt);
        }
        lend(&mut head.extensions, begins.deadline);
        Request::from_parts(head, body)
    }

    #[inline]
    fn keep(
        &mut self,
        head: &Parts,
        body: B,
        said: Option<Told>,
        begins: &Beginning<'_>,
    ) -> ReplayBody<B> {
        if body.is_end_stream() {
            self.own = Some(Box::new(Copied::of(head, said)));
            return ReplayBody::default();
        }
        let limit = begins.settings.replay_limit;
        let share = begins.room().share(begins.settings.replay_total);
        let again = is_within(&body, limit);
        let copied = || again.then(|| Copied::of(head, said));
        self.body = Replay::beside(body, limit, share, copied);
        self.body.body()
    }

    /// The request of a later attempt that nobody has told which one it is.
    fn begin(
        &self,
        attempt: impl FnOnce() -> Attempt,
        deadline: Option<(Deadline, Instant)>,
    ) -> Request<ReplayBody<B>> {
        let mut head = self.head();
        disown(&mut head.extensions, attempt);
        lend(&mut head.extensions, deadline);
        Request::from_parts(head, self.body.body())
    }

    fn make(
        &self,
        attempt: Attempt,
        deadline: Option<(Deadline, Instant)>,
    ) -> Request<ReplayBody<B>> {
        let mut head = self.head();
        head.extensions.insert(attempt);
        lend(&mut head.extensions, deadline);
        Request::from_parts(head, self.body.body())
    }
}

impl<B> Kept<B> {
    /// Of a request that was not taken apart yet.
    const fn nothing() -> Self {
        Self {
            own: None,
            body: Replay::empty(),
            tells: true,
        }
    }

    /// The head of an attempt that follows.
    fn head(&self) -> Parts {
        self.copied()
            .map_or_else(|| Request::new(()).into_parts().0, Copied::parts)
    }

    fn told(&self) -> Option<Told> {
        self.copied().and_then(Copied::told)
    }

    /// What the server of the attempt that begins now is told of the time.
    #[inline]
    fn tell(
        &self,
        headers: &mut HeaderMap,
        told: Option<Told>,
        deadline: Option<(Deadline, Instant)>,
    ) {
        let Some((deadline, now)) = deadline.filter(|_| self.tells) else {
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

    #[inline]
    fn prepare(&self, _: &Request<B>) -> Kept<B> {
        Kept::nothing()
    }

    #[inline(always)]
    fn first(
        &self,
        mut request: Request<B>,
        kept: &mut Kept<B>,
        begins: &Beginning<'_>,
        attempt: impl FnOnce() -> Attempt,
    ) -> Self::Request {
        let said = said(&mut request);
        let mut request = kept.first(request, said, begins, attempt);
        kept.tells = begins.tells;
        kept.tell(request.headers_mut(), said, begins.deadline);
        request
    }

    fn begin(
        &self,
        kept: &mut Kept<B>,
        attempt: impl FnOnce() -> Attempt,
        deadline: Option<(Deadline, Instant)>,
    ) -> Self::Request {
        let mut request = kept.begin(attempt, deadline);
        kept.tell(request.headers_mut(), kept.told(), deadline);
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
        kept.tell(headers, kept.told(), deadline);
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

    fn wanted(&self, request: &Request<B>, settings: &Settings) -> Wanted {
        wanted(self, request, settings)
    }

    #[inline]
    fn prepare(&self, _: &Request<B>) -> Kept<B> {
        Kept::nothing()
    }

    #[inline(always)]
    fn first(
        &self,
        request: Request<B>,
        kept: &mut Kept<B>,
        begins: &Beginning<'_>,
        attempt: impl FnOnce() -> Attempt,
    ) -> Self::Request {
        kept.first(request, None, begins, attempt)
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

/// What a layer further out says of its attempts is not said of these.
#[inline]
fn disown(words: &mut Extensions, attempt: impl FnOnce() -> Attempt) {
    if let Some(theirs) = words.get_mut::<Attempt>() {
        *theirs = attempt();
    }
}

/// Whoever serves the attempt has as long as the call.
#[inline]
fn lend(words: &mut Extensions, deadline: Option<(Deadline, Instant)>) {
    if let Some((deadline, _)) = deadline
        && words.get() != Some(&deadline)
    {
        words.insert(deadline);
    }
}
