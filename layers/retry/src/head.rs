//! The head of a request that may have to be sent again.

use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, request::Parts,
};
use std::time::Duration;
use ziggurat_core::{
    KnownWord, Words,
    clock::{self, Instant},
    grpc,
};

/// What a later attempt needs, in fewer pieces than a clone has: a list of headers is one
/// allocation, a map of them is two, and the extensions are three and more.
#[derive(Debug)]
pub(crate) struct Copied {
    method: Method,
    uri: Uri,
    version: Version,
    headers: Vec<(HeaderName, HeaderValue)>,
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
    #[inline]
    pub(crate) fn of<B>(
        request: &Request<B>,
        told: Option<Told>,
        known: Option<KnownWord>,
    ) -> Self {
        let headers = request.headers().iter();
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            headers: headers
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            words: Kept::of(request.extensions(), known),
            told,
        }
    }

    /// What the caller wants the server to be told of the time.
    pub(crate) const fn told(&self) -> Option<Told> {
        self.told
    }

    pub(crate) fn parts(&self) -> Parts {
        let mut parts = Request::new(()).into_parts().0;
        parts.method = self.method.clone();
        parts.uri = self.uri.clone();
        parts.version = self.version;
        // Room for what the layers inside add.
        parts.headers = HeaderMap::with_capacity(self.headers.len() + 4);
        for (name, value) in &self.headers {
            parts.headers.append(name.clone(), value.clone());
        }
        parts.extensions = self.words.extensions();
        parts
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

// === impl Told ===

impl Told {
    /// What the caller says, and whether it also says how many attempts came before.
    pub(crate) fn by(headers: &HeaderMap) -> (Option<Self>, bool) {
        // A constant is made anew, and dropped, wherever it is looked for.
        static TIMEOUT: HeaderName = grpc::TIMEOUT;
        static ATTEMPTS: HeaderName = grpc::PREVIOUS_ATTEMPTS;
        let (mut told, mut attempted) = (None, false);
        // To compare the few names that there are is quicker than to hash two.
        for (name, value) in headers {
            if *name == TIMEOUT {
                told = told.or_else(|| Self::of(value));
            }
            attempted |= *name == ATTEMPTS;
        }
        (told, attempted)
    }

    fn of(value: &HeaderValue) -> Option<Self> {
        let timeout = grpc::decode_timeout(value).ok()?;
        let at = clock::now();
        Some(Self { timeout, at })
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
