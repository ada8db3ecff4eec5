//! The echo service itself; faults are added around it.

use crate::proto::{EchoReply, EchoRequest, echo_server::Echo};
use std::{pin::Pin, sync::Arc};
use tokio_stream::{self as stream, Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

/// The echo service by itself, for a server of the test's own: replies with what it was sent, and with its name.
#[derive(Clone, Debug)]
pub struct EchoHandler {
    name: Arc<str>,
}

type Replies = Pin<Box<dyn Stream<Item = Result<EchoReply, Status>> + Send>>;

// === impl EchoHandler ===

impl EchoHandler {
    /// A service that calls itself `name` in every reply.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into() }
    }

    fn reply(&self, request: EchoRequest) -> EchoReply {
        EchoReply {
            message: request.message,
            repeat: request.repeat,
            payload: request.payload,
            server: self.name.to_string(),
        }
    }
}

#[tonic::async_trait]
impl Echo for EchoHandler {
    type ServerStreamStream = Replies;
    type BidiStream = Replies;

    async fn unary(&self, request: Request<EchoRequest>) -> Result<Response<EchoReply>, Status> {
        Ok(Response::new(self.reply(request.into_inner())))
    }

    async fn server_stream(
        &self,
        request: Request<EchoRequest>,
    ) -> Result<Response<Replies>, Status> {
        let request = request.into_inner();
        let reply = self.reply(request.clone());
        let replies = stream::iter(0..request.repeat).map(move |place| {
            Ok(EchoReply {
                repeat: place,
                ..reply.clone()
            })
        });
        Ok(Response::new(Box::pin(replies)))
    }

    async fn client_stream(
        &self,
        request: Request<Streaming<EchoRequest>>,
    ) -> Result<Response<EchoReply>, Status> {
        let mut requests = request.into_inner();
        let (mut texts, mut payload, mut count) = (Vec::new(), Vec::new(), 0);
        while let Some(request) = requests.message().await? {
            texts.push(request.message);
            payload.extend_from_slice(&request.payload);
            count += 1;
        }
        Ok(Response::new(self.reply(EchoRequest {
            message: texts.join(" "),
            repeat: count,
            payload: payload.into(),
        })))
    }

    async fn bidi(
        &self,
        request: Request<Streaming<EchoRequest>>,
    ) -> Result<Response<Replies>, Status> {
        let echo = self.clone();
        let replies = request
            .into_inner()
            .map(move |request| request.map(|request| echo.reply(request)));
        Ok(Response::new(Box::pin(replies)))
    }
}
