//! What others may ask of the types.

use crate::support::{bounded, make, quick};
use tonic::{
    Status,
    service::{Interceptor, interceptor::InterceptedService},
};
use ziggurat_connect::{Body, ConnectFuture, Connection, Connector, ResponseFuture};
use ziggurat_testkit::{
    EchoClient, EchoRequest, EchoServer, assert_clone, assert_send, assert_sync, tonic,
};

type TonicBody = tonic::body::Body;

#[test]
fn services_and_futures_cross_threads() {
    assert_clone::<Connector<TonicBody>>();
    assert_send::<Connector<TonicBody>>();
    assert_sync::<Connector<TonicBody>>();
    assert_clone::<Connection<TonicBody>>();
    assert_send::<Connection<TonicBody>>();
    assert_sync::<Connection<TonicBody>>();
    assert_send::<ConnectFuture<TonicBody>>();
    assert_send::<ResponseFuture>();
    assert_send::<Body>();
}

#[derive(Clone)]
struct Pass;

impl Interceptor for Pass {
    fn call(&mut self, request: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
        Ok(request)
    }
}

#[tokio::test]
async fn a_generated_client_speaks_over_it_also_with_an_interceptor() {
    bounded(async {
        let server = EchoServer::start().await;
        let connection = make(Connector::<TonicBody>::new(quick()), server.address()).await;
        let message = || EchoRequest {
            message: "hello".into(),
            repeat: 3,
            ..EchoRequest::default()
        };
        let mut client = EchoClient::new(InterceptedService::new(connection, Pass));
        let reply = client.unary(message()).await.unwrap();
        assert_eq!(reply.into_inner().message, "hello");
        let mut replies = client.server_stream(message()).await.unwrap().into_inner();
        let mut count = 0;
        while replies.message().await.unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 3);
    })
    .await;
}
