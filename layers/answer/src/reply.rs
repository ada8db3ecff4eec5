//! What an error is answered with.

use crate::{Body, message, protocol::Protocol};
use http::{
    HeaderMap, HeaderValue, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};
use std::{borrow::Cow, error::Error, time::Duration};
use ziggurat_core::{
    Code, Rejection, error,
    grpc::{self, Pushback},
};

/// What a peer is told of an error.
#[derive(Debug)]
pub(crate) struct Reply<'e> {
    pub(crate) code: Code,
    message: Cow<'e, str>,
    pushback: Option<Pushback>,
    /// What else goes with a gRPC status: details, metadata.
    extra: HeaderMap,
}

// === impl Reply ===

impl<'e> Reply<'e> {
    /// What a peer may be told of `error`. `None`: nobody meant it for a peer.
    pub(crate) fn of(error: &'e (dyn Error + 'static)) -> Option<Self> {
        if let Some(rejection) = error::find::<Rejection>(error) {
            return Some(Self {
                code: failure(rejection.code()),
                message: rejection.reason().into(),
                pushback: match rejection.retry_after() {
                    // UNAVAILABLE alone would invite the peer to have it done twice.
                    _ if rejection.is_lost() => Some(Pushback::Never),
                    after => after.map(Pushback::After),
                },
                extra: HeaderMap::new(),
            });
        }
        #[cfg(feature = "tonic")]
        if let Some(status) = error::find::<tonic::Status>(error) {
            return Some(Self::of_status(status));
        }
        None
    }

    /// What a peer is told of an error that nobody meant for it.
    pub(crate) fn internal() -> Self {
        Self {
            code: Code::Internal,
            message: "internal error".into(),
            pushback: None,
            extra: HeaderMap::new(),
        }
    }

    #[cfg(feature = "tonic")]
    fn of_status(status: &'e tonic::Status) -> Self {
        let mut extra = HeaderMap::new();
        // Details or metadata that fit no header are lost; the code and the message are not.
        let _ = status.add_header(&mut extra);
        let pushback = grpc::pushback(&extra);
        let code = Code::from_number(i32::from(status.code()).unsigned_abs());
        Self {
            code: failure(code.unwrap_or(Code::Unknown)),
            message: status.message().into(),
            pushback,
            extra,
        }
    }

    /// The status as headers or trailers of gRPC.
    pub(crate) fn into_status(self) -> HeaderMap {
        let mut headers = self.extra;
        headers.insert(grpc::STATUS, u16::from(self.code.number()).into());
        if !self.message.is_empty() {
            headers.insert(grpc::MESSAGE, message::encode(&self.message));
        }
        match self.pushback {
            Some(Pushback::After(time)) => {
                headers.insert(grpc::PUSHBACK, grpc::encode_pushback(time));
            }
            Some(Pushback::Never) => {
                headers.insert(grpc::PUSHBACK, grpc::NEVER);
            }
            None => {}
        }
        headers
    }

    /// The whole response, for a peer that speaks `protocol`.
    pub(crate) fn into_response<B>(self, protocol: Protocol) -> Response<Body<B>> {
        let (mut response, mut headers);
        if let Protocol::Http | Protocol::Head = protocol {
            let mut text = message::truncate(&self.message).to_owned();
            headers = HeaderMap::with_capacity(3);
            if protocol == Protocol::Head {
                headers.insert(CONTENT_LENGTH, text.len().into());
                text.clear();
            }
            if let Some(Pushback::After(time)) = self.pushback {
                headers.insert(RETRY_AFTER, seconds(time));
            }
            response = Response::new(Body::text(text));
            *response.status_mut() = self.code.to_http();
        } else {
            headers = self.into_status();
            response = Response::new(Body::text(String::new()));
        }
        headers.insert(CONTENT_TYPE, protocol.content_type());
        *response.headers_mut() = headers;
        response
    }
}

/// An error is never answered with OK, whatever it says of itself.
fn failure(code: Code) -> Code {
    match code {
        Code::Ok => Code::Internal,
        code => code,
    }
}

/// Whole seconds, rounded up: nobody is to come back too early, or at once.
fn seconds(retry_after: Duration) -> HeaderValue {
    let rounded = u64::from(retry_after.subsec_nanos() > 0);
    retry_after.as_secs().saturating_add(rounded).max(1).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_rounded_up_to_whole_seconds_and_never_zero() {
        for (millis, text) in [(0, "1"), (1, "1"), (300, "1"), (1_000, "1"), (1_001, "2")] {
            assert_eq!(seconds(Duration::from_millis(millis)), text, "{millis}");
        }
        assert_eq!(seconds(Duration::MAX), u64::MAX.to_string().as_str());
    }
}
