//! Against the timer of tonic's own server, over a socket.

use super::ms;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use std::{
    convert::Infallible,
    future::{Pending, pending},
    net::Ipv4Addr,
    task::{Context, Poll},
};
use tower::{Service, ServiceBuilder};
use ziggurat_core::{BoxError, Rejection, error, grpc};
use ziggurat_deadline::DeadlineLayer;
use ziggurat_testkit::{
    EchoClient, EchoRequest, PlainClient,
    tonic::{
        Code,
        body::Body,
        server::NamedService,
        transport::{Server, server::TcpIncoming},
    },
};

/// Never answers.
#[derive(Clone)]
struct Hangs;

impl NamedService for Hangs {
    const NAME: &'static str = "echo.v1.Echo";
}

impl Service<Request<Body>> for Hangs {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pending<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        pending()
    }
}

/// What a server puts around a deadline: an answer for its error.
fn answer<B: Default>(result: Result<Response<B>, BoxError>) -> Result<Response<B>, BoxError> {
    Ok(result.unwrap_or_else(|error| {
        let code = error::find::<Rejection>(&*error).unwrap().code();
        let mut response = Response::new(B::default());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(grpc::STATUS, u16::from(code.number()).into());
        response
    }))
}

#[tokio::test]
async fn ours_is_due_before_tonics_which_would_say_cancelled() {
    let incoming = TcpIncoming::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = incoming.local_addr().unwrap();
    let layer = ServiceBuilder::new()
        .map_result(answer)
        .layer(DeadlineLayer::server());
    let server = Server::builder().layer(layer).add_service(Hangs);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(server.serve_with_incoming(incoming));

    // This client has no timer of its own.
    let client = EchoClient::new(PlainClient::connect(address).await.unwrap());
    for timeout in [1, 2, 3, 5, 10, 20] {
        let mut client = client.clone();
        let mut request = ziggurat_testkit::tonic::Request::new(EchoRequest::default());
        request.set_timeout(ms(timeout));
        let status = client.unary(request).await.unwrap_err();
        assert_eq!(
            status.code(),
            Code::DeadlineExceeded,
            "{timeout} ms: {status:?}"
        );
    }
}
