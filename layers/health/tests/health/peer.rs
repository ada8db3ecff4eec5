//! A server that is asked how it does; its answers are in the hands of the test.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use std::{
    collections::VecDeque,
    future::pending,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_stream::{StreamExt, wrappers::UnboundedReceiverStream};
use tower::Service;
use ziggurat_core::{BoxError, Deadline, clock};

pub(crate) type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;
pub(crate) type Frames = mpsc::UnboundedSender<Frame<Bytes>>;

/// A server that answers what the test wants, in order, and then never.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer(pub(crate) Arc<Mutex<Script>>);

#[derive(Debug, Default)]
pub(crate) struct Script {
    replies: VecDeque<Reply>,
    asked: Vec<String>,
    /// How long each call was given.
    pub(crate) deadlines: Vec<Option<Duration>>,
}

#[derive(Debug)]
pub(crate) enum Reply {
    Stream(mpsc::UnboundedReceiver<Frame<Bytes>>),
    Trailers(&'static str),
    Http(u16),
    Refuse,
}

pub(crate) const SERVING: u8 = 1;
pub(crate) const NOT_SERVING: u8 = 2;

// === impl Peer ===

impl Peer {
    pub(crate) fn reply(&self, reply: Reply) {
        self.0.lock().unwrap().replies.push_back(reply);
    }

    /// The next call is answered with what is sent here.
    pub(crate) fn stream(&self) -> Frames {
        let (send, receive) = mpsc::unbounded_channel();
        self.reply(Reply::Stream(receive));
        send
    }

    /// The next call is answered with this and `OK`.
    pub(crate) fn answer(&self, status: u8) {
        let stream = self.stream();
        stream.send(message(status)).unwrap();
        stream.send(trailers("0")).unwrap();
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }
}

impl Service<Request<Full<Bytes>>> for Peer {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let peer = self.clone();
        Box::pin(async move {
            let path = request.uri().path().rsplit('/').next().unwrap().to_owned();
            let deadline: Option<&Deadline> = request.extensions().get();
            let deadline = deadline.map(|deadline| deadline.remaining(clock::now()));
            assert_eq!(request.headers()["te"], "trailers");
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let reply = {
                let mut script = peer.0.lock().unwrap();
                let service = String::from_utf8_lossy(body.get(7..).unwrap_or_default());
                script.asked.push(format!("{path} {service}"));
                script.deadlines.push(deadline);
                script.replies.pop_front()
            };
            match reply {
                None => pending().await,
                Some(reply) => reply.response(),
            }
        })
    }
}

// === impl Reply ===

impl Reply {
    fn response(self) -> Result<Response<Body>, BoxError> {
        let empty = || Full::default().map_err(Into::into).boxed_unsync();
        let head = Response::builder();
        Ok(match self {
            Self::Refuse => return Err("refused".into()),
            Self::Http(status) => head.status(status).body(empty())?,
            Self::Trailers(code) => head.header("grpc-status", code).body(empty())?,
            Self::Stream(frames) => {
                let frames = UnboundedReceiverStream::new(frames).map(Ok);
                head.body(BodyExt::boxed_unsync(StreamBody::new(frames)))?
            }
        })
    }
}

pub(crate) fn message(status: u8) -> Frame<Bytes> {
    Frame::data(Bytes::copy_from_slice(&[0, 0, 0, 0, 2, 8, status]))
}

pub(crate) fn trailers(code: &'static str) -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(code));
    Frame::trailers(trailers)
}
