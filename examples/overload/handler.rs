//! The service: an echo that takes work.

use super::workers::Workers;
use ziggurat_testkit::{
    EchoHandler, EchoReply, EchoRequest,
    proto::echo_server::Echo,
    tonic::{self, Request, Response, Status, Streaming},
};

/// An echo, for each of which a worker has to work.
pub(crate) struct Handler {
    workers: Workers,
    echo: EchoHandler,
}

// === impl Handler ===

impl Handler {
    pub(crate) fn new(workers: Workers) -> Self {
        let echo = EchoHandler::new("overload");
        Self { workers, echo }
    }
}

#[tonic::async_trait]
impl Echo for Handler {
    type ServerStreamStream = <EchoHandler as Echo>::ServerStreamStream;
    type BidiStream = <EchoHandler as Echo>::BidiStream;

    async fn unary(&self, request: Request<EchoRequest>) -> Result<Response<EchoReply>, Status> {
        self.workers.work().await;
        self.echo.unary(request).await
    }

    async fn server_stream(
        &self,
        request: Request<EchoRequest>,
    ) -> Result<Response<Self::ServerStreamStream>, Status> {
        self.workers.work().await;
        self.echo.server_stream(request).await
    }

    async fn client_stream(
        &self,
        request: Request<Streaming<EchoRequest>>,
    ) -> Result<Response<EchoReply>, Status> {
        self.workers.work().await;
        self.echo.client_stream(request).await
    }

    async fn bidi(
        &self,
        request: Request<Streaming<EchoRequest>>,
    ) -> Result<Response<Self::BidiStream>, Status> {
        self.workers.work().await;
        self.echo.bidi(request).await
    }
}
