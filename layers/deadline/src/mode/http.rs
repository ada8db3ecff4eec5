//! HTTP requests, gRPC or not, and responses with bodies.

use super::{Cover, Due, Stamp, Timer};
use crate::{Body, Observer, Settings, local};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use std::time::Duration;
use ziggurat_core::{Carry, Deadline, grpc, headers::least};

/// For HTTP, of a client or of a server; the time that is left travels in `grpc-timeout`.
#[derive(Clone, Debug)]
pub struct Http {
    role: Role,
    header: Option<HeaderName>,
    tells: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Client,
    Server,
}

// A constant is made anew, and dropped, wherever it is looked for.
static TIMEOUT: HeaderName = grpc::TIMEOUT;
/// A tick of tokio's timer: two that are due a tick apart never fire in the wrong order.
const TICK: Duration = Duration::from_millis(1);
/// About 31 years in milliseconds; longer numbers are not meant.
const MAX_DIGITS: usize = 12;

// === impl Http ===

impl Http {
    pub(crate) const fn client() -> Self {
        Self {
            role: Role::Client,
            header: None,
            tells: true,
        }
    }

    pub(crate) const fn server() -> Self {
        Self {
            role: Role::Server,
            header: None,
            tells: false,
        }
    }

    pub(crate) fn header(mut self, name: HeaderName) -> Self {
        self.header = Some(name);
        self
    }

    pub(crate) const fn telling(mut self, write: bool) -> Self {
        self.tells = write && matches!(self.role, Role::Client);
        self
    }

    /// What the headers tell: how long the caller will wait, by the smallest that makes sense.
    fn told(&self, headers: &HeaderMap, observer: &dyn Observer) -> Option<Duration> {
        let read = |name: &HeaderName, read: fn(&HeaderValue) -> Option<Duration>| {
            least(headers, name, |value| {
                let timeout = read(value);
                if timeout.is_none() {
                    observer.malformed(name, value);
                }
                timeout
            })
        };
        let grpc = read(&TIMEOUT, |value| grpc::decode_timeout(value).ok());
        let named = self
            .header
            .as_ref()
            .and_then(|name| read(name, decode_millis));
        match (grpc, named) {
            (Some(grpc), Some(named)) => Some(grpc.min(named)),
            (grpc, named) => grpc.or(named),
        }
    }

    fn tell(&self, headers: &mut HeaderMap, remaining: Duration) {
        if grpc::dialect(headers).is_some() {
            headers.insert(grpc::TIMEOUT, grpc::encode_timeout(remaining));
        } else if let Some(name) = &self.header {
            let millis = remaining.as_nanos().div_ceil(1_000_000);
            let millis = u64::try_from(millis).unwrap_or(u64::MAX);
            headers.insert(name.clone(), millis.into());
        }
    }
}

impl<B> Stamp<Request<B>> for Http {
    const ASKS: bool = true;

    fn stamp(
        &self,
        request: &mut Request<B>,
        settings: &Settings,
        observer: &dyn Observer,
    ) -> Option<Due> {
        let told = self.told(request.headers(), observer);
        let due = match self.role {
            Role::Server => of_server(request, settings, told),
            Role::Client => of_client(request, settings, told),
        }?;
        let Due::At { deadline, left } = due else {
            return Some(due);
        };
        if self.tells {
            let margin = settings.margin_or(Duration::ZERO);
            self.tell(request.headers_mut(), left.saturating_add(margin));
        }
        let extensions = request.extensions_mut();
        // A deadline that is there has its place already.
        match extensions.get_mut() {
            Some(settled) => *settled = deadline,
            None => {
                extensions.insert(deadline);
            }
        }
        Some(due)
    }

    fn scoped(&self) -> bool {
        self.role == Role::Server
    }
}

impl<B> Cover<Response<B>> for Http {
    type Response = Response<Body<B>>;

    fn cover(response: Response<B>, timer: &mut Option<Timer>) -> Self::Response {
        response.map(|body| Body::new(body, timer.take()))
    }
}

fn of_client<B>(request: &Request<B>, settings: &Settings, told: Option<Duration>) -> Option<Due> {
    let own = ziggurat_core::Http.deadline(request);
    let most = settings.most(told, own.is_some());
    // What is being served bounds what is done for it, whoever asks for more.
    Due::by(Deadline::earlier(own, local::current()), most)
}

fn of_server<B>(request: &Request<B>, settings: &Settings, told: Option<Duration>) -> Option<Due> {
    let sooner = |told: Duration| told - settings.margin_or(TICK).min(told / 2);
    let own = request.extensions().get().copied();
    let most = settings.most(told.map(sooner), own.is_some());
    Due::by(own, most)
}

/// Whole milliseconds in decimal digits.
fn decode_millis(value: &HeaderValue) -> Option<Duration> {
    let digits = value.as_bytes();
    let plain = (1..=MAX_DIGITS).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    plain.then(|| {
        let millis = digits
            .iter()
            .fold(0, |millis, digit| millis * 10 + u64::from(digit - b'0'));
        Duration::from_millis(millis)
    })
}
