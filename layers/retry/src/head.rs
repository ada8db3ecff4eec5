//! The head of a request that may have to be sent again.

use self::page::Page;
use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, request::Parts,
};
use std::{fmt, time::Duration};
use ziggurat_core::{Deadline, KnownWord, Words, clock::Instant, grpc};

mod page;
mod sheets;

/// What a later attempt needs of a head, on a sheet that is used again: a clone is five allocations
/// and more, and this is none.
pub(crate) struct Copied(Option<Box<Sheet>>);

struct Sheet {
    method: Method,
    uri: Uri,
    version: Version,
    headers: Page,
    words: Kept,
    told: Option<Told>,
}

#[derive(Debug)]
enum Kept {
    /// Nothing but words that are known, if any.
    Words(Words),
    /// Somebody else's as well.
    All(Extensions),
}

/// How much time the caller wants the server to be told of, and when that was.
///
/// More than it has, if a timer of the server's is to be later than its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    timeout: Duration,
    at: Instant,
}

// === impl Copied ===

impl Copied {
    /// Inlined, as all that it writes stays where it is written.
    #[inline]
    pub(crate) fn of<B>(
        request: &Request<B>,
        told: Option<Told>,
        known: Option<KnownWord>,
    ) -> Self {
        let mut sheet = sheets::take();
        sheet.method.clone_from(request.method());
        sheet.uri.clone_from(request.uri());
        sheet.version = request.version();
        sheet.headers.write(request.headers());
        sheet.words = Kept::of(request.extensions(), known);
        sheet.told = told;
        Self(Some(sheet))
    }

    /// The deadline among its words, if they are ours alone; an [`Attempt`](ziggurat_core::Attempt) is
    /// not among them.
    #[inline]
    pub(crate) fn ours(&self) -> Option<Option<Deadline>> {
        match &self.0.as_ref()?.words {
            Kept::Words(words) if words.are_ours() => Some(words.deadline()),
            _ => None,
        }
    }

    /// What the caller wants the server to be told of the time.
    pub(crate) fn told(&self) -> Option<Told> {
        self.0.as_ref()?.told
    }

    pub(crate) fn parts(&self) -> Parts {
        let mut parts = Request::new(()).into_parts().0;
        if let Some(sheet) = &self.0 {
            sheet.write(&mut parts);
        }
        parts
    }
}

impl Drop for Copied {
    #[inline]
    fn drop(&mut self) {
        if let Some(sheet) = self.0.take() {
            sheets::give_back(sheet);
        }
    }
}

impl fmt::Debug for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Copied").finish_non_exhaustive()
    }
}

// === impl Sheet ===

impl Sheet {
    fn blank() -> Self {
        Self {
            method: Method::GET,
            uri: Uri::default(),
            version: Version::HTTP_11,
            headers: Page::default(),
            words: Kept::default(),
            told: None,
        }
    }

    fn write(&self, parts: &mut Parts) {
        parts.method = self.method.clone();
        parts.uri = self.uri.clone();
        parts.version = self.version;
        parts.headers = self.headers.map();
        parts.extensions = self.words.extensions();
    }

    /// Lets go of all that belongs to a call.
    #[inline]
    fn wipe(&mut self) {
        self.method = Method::GET;
        self.uri = Uri::default();
        self.headers.wipe();
        self.words = Kept::default();
    }
}

// === impl Kept ===

impl Kept {
    #[inline]
    fn of(extensions: &Extensions, known: Option<KnownWord>) -> Self {
        match Words::of(extensions, known) {
            Some(words) => Self::Words(words),
            None => Self::All(extensions.clone()),
        }
    }

    fn extensions(&self) -> Extensions {
        match self {
            Self::Words(words) => words.extensions(),
            Self::All(extensions) => extensions.clone(),
        }
    }
}

impl Default for Kept {
    #[inline]
    fn default() -> Self {
        Self::Words(Words::default())
    }
}

// === impl Told ===

impl Told {
    /// What the caller says, which is heard `at` this time, and whether it also says how many attempts
    /// came before. Whoever says the first has a deadline, which nobody looks at without a time.
    pub(crate) fn by(headers: &HeaderMap, at: Option<Instant>) -> (Option<Self>, bool) {
        // A constant is made anew, and dropped, wherever it is looked for.
        static TIMEOUT: HeaderName = grpc::TIMEOUT;
        static ATTEMPTS: HeaderName = grpc::PREVIOUS_ATTEMPTS;
        let (mut told, mut attempted) = (None, false);
        // To compare the few names that there are is quicker than to hash two.
        for (name, value) in headers {
            if *name == TIMEOUT {
                told = Self::earlier(told, at.and_then(|at| Self::of(value, at)));
            }
            attempted |= *name == ATTEMPTS;
        }
        (told, attempted)
    }

    fn of(value: &HeaderValue, at: Instant) -> Option<Self> {
        let timeout = grpc::decode_timeout(value).ok()?;
        Some(Self { timeout, at })
    }

    /// Of two that the caller says at once, the smaller is meant.
    fn earlier(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let both = one.into_iter().chain(other);
        both.min_by_key(|told| told.timeout)
    }

    /// What is left of it at `now`. `None`: nothing has passed, and the caller's own words do.
    pub(crate) fn remaining(self, now: Instant) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.at);
        (!passed.is_zero()).then(|| self.timeout.saturating_sub(passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ziggurat_core::{CallOptions, Deadline};

    #[test]
    fn of_two_timeouts_the_smaller_is_what_the_caller_says() {
        let at = ziggurat_core::clock::now();
        for values in [["3S", "200m"], ["200m", "3S"], ["3s", "200m"]] {
            let mut headers = HeaderMap::new();
            for text in values {
                headers.append(grpc::TIMEOUT, HeaderValue::from_static(text));
            }
            let (told, _) = Told::by(&headers, Some(at));
            let timeout = told.map(|told| told.timeout);
            assert_eq!(timeout, Some(Duration::from_millis(200)), "{values:?}");
        }
    }

    #[test]
    fn what_a_later_attempt_gets_is_what_the_first_one_got() {
        let options = CallOptions::new().hash_key(7);
        let deadline = Deadline::after(Duration::from_secs(1));
        let known = Some(KnownWord::of::<&str>());
        for (others, known) in [(false, None), (true, None), (true, known)] {
            let request = Request::put("http://shop/a?b")
                .version(Version::HTTP_2)
                .header("one", "1")
                .header("two", "2")
                .header("one", "3");
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            parts.extensions.insert(options);
            parts.extensions.insert(deadline);
            if others {
                parts.extensions.insert("theirs");
            }
            let first = parts.clone();
            let copied = Copied::of(&Request::from_parts(parts, ()), None, known);
            for _ in 0..2 {
                let later = copied.parts();
                assert_eq!(later.method, first.method);
                assert_eq!((&later.uri, later.version), (&first.uri, first.version));
                assert_eq!(later.headers, first.headers);
                let order: Vec<_> = later.headers.get_all("one").iter().collect();
                assert_eq!(order, ["1", "3"]);
                assert_eq!(later.extensions.get(), Some(&options));
                assert_eq!(later.extensions.get(), Some(&deadline));
                assert_eq!(later.extensions.get::<&str>().is_some(), others);
            }
        }
    }
}
