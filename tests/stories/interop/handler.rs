//! The echo server of `grpcio/serve.py` once more, in Rust.

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};
use tonic::{Code, Request, Response, Status, Streaming, metadata::MetadataMap};
use ziggurat_testkit::{EchoReply, EchoRequest, proto::echo_server::Echo};

/// Does with a request what its message says.
#[derive(Clone, Debug, Default)]
pub(super) struct Handler {
    cancelled: Arc<AtomicU32>,
}

/// Counts a call that is dropped before it was answered.
struct Waiting(Option<Arc<AtomicU32>>);

type Replies = Pin<Box<dyn Stream<Item = Result<EchoReply, Status>> + Send>>;

// === impl Handler ===

impl Handler {
    async fn reply(
        &self,
        metadata: &MetadataMap,
        request: EchoRequest,
    ) -> Result<EchoReply, Status> {
        let mut reply = EchoReply {
            message: request.message.clone(),
            repeat: request.repeat,
            payload: request.payload.clone(),
            server: "rust".to_owned(),
        };
        match request
            .message
            .split_once(' ')
            .unwrap_or((&request.message, ""))
        {
            ("fail", code) => return Err(failure(code, request.payload)),
            ("wait", "") => self.wait().await,
            ("remaining", "") => {
                let timeout = metadata.get("grpc-timeout").unwrap().to_str().unwrap();
                reply.message = millis(timeout).to_string();
            }
            ("cancelled", "") => reply.repeat = self.cancelled.load(SeqCst),
            _ => {}
        }
        Ok(reply)
    }

    async fn wait(&self) {
        let mut waiting = Waiting(Some(Arc::clone(&self.cancelled)));
        tokio::time::sleep(Duration::from_secs(10)).await;
        waiting.0 = None;
    }
}

#[tonic::async_trait]
impl Echo for Handler {
    type ServerStreamStream = Replies;
    type BidiStream = Replies;

    async fn unary(&self, request: Request<EchoRequest>) -> Result<Response<EchoReply>, Status> {
        let (metadata, _, request) = request.into_parts();
        let says_metadata = request.message == "metadata";
        let reply = self.reply(&metadata, request).await?;
        let mut response = Response::new(reply);
        if says_metadata {
            *response.metadata_mut() = own(&metadata);
        }
        Ok(response)
    }

    async fn server_stream(
        &self,
        request: Request<EchoRequest>,
    ) -> Result<Response<Replies>, Status> {
        let request = request.into_inner();
        let (handler, last) = (self.clone(), request.clone());
        let replies = stream::iter(0..request.repeat).map(move |repeat| {
            Ok(EchoReply {
                message: request.message.clone(),
                repeat,
                payload: request.payload.clone(),
                server: "rust".to_owned(),
            })
        });
        let end = stream::once(async move {
            match last.message.split_once(' ') {
                Some(("fail", code)) => return Some(Err(failure(code, last.payload))),
                None if last.message == "wait" => handler.wait().await,
                _ => {}
            }
            None
        });
        let end = end.filter_map(std::future::ready);
        Ok(Response::new(Box::pin(replies.chain(end))))
    }

    async fn client_stream(
        &self,
        request: Request<Streaming<EchoRequest>>,
    ) -> Result<Response<EchoReply>, Status> {
        let mut requests = request.into_inner();
        let (mut messages, mut payload) = (Vec::new(), Vec::new());
        while let Some(request) = requests.message().await? {
            messages.push(request.message);
            payload.extend(request.payload);
        }
        Ok(Response::new(EchoReply {
            repeat: messages.len() as u32,
            message: messages.join(" "),
            payload: payload.into(),
            server: "rust".to_owned(),
        }))
    }

    async fn bidi(
        &self,
        request: Request<Streaming<EchoRequest>>,
    ) -> Result<Response<Replies>, Status> {
        let handler = self.clone();
        let replies = request.into_inner().then(move |request| {
            let handler = handler.clone();
            async move { handler.reply(&MetadataMap::new(), request?).await }
        });
        Ok(Response::new(Box::pin(replies)))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(cancelled) = &self.0 {
            cancelled.fetch_add(1, SeqCst);
        }
    }
}

fn failure(code: &str, payload: Bytes) -> Status {
    let code = Code::from_i32(code.parse().unwrap());
    let message = "na\u{ef}ve: 100 %\nof it";
    let mut metadata = MetadataMap::new();
    metadata.insert("own-why", "because".parse().unwrap());
    Status::with_details_and_metadata(code, message, payload, metadata)
}

/// The test's own metadata.
fn own(metadata: &MetadataMap) -> MetadataMap {
    let mut headers = metadata.clone().into_headers();
    let foreign: Vec<_> = headers
        .keys()
        .filter(|name| !name.as_str().starts_with("own-"))
        .cloned()
        .collect();
    for name in foreign {
        headers.remove(name);
    }
    MetadataMap::from_headers(headers)
}

/// What is told in `grpc-timeout`.
fn millis(timeout: &str) -> u64 {
    let (number, unit) = timeout.split_at(timeout.len() - 1);
    let number: u64 = number.parse().unwrap();
    match unit {
        "S" => number * 1_000,
        "m" => number,
        "u" => number / 1_000,
        "n" => number / 1_000_000,
        _ => panic!("{timeout}"),
    }
}
