//! What callers see of it.

use super::support::*;
use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use ziggurat::{
    answer::AnswerLayer,
    core::BoxError,
    limit::{ByMethod, Rate},
    quota::RedisLimitLayer,
};
use ziggurat_testkit::RedisServer;

#[tokio::test]
async fn a_rejection_is_an_answer_of_http_and_of_grpc() {
    let server = RedisServer::start().await;
    let slow = Rate::new(1, std::time::Duration::from_secs(100)).unwrap();
    let layer = RedisLimitLayer::new(&patient(&server), "r", slow, ByMethod).unwrap();
    let handler =
        service_fn(|_: Request<String>| async { Ok::<_, BoxError>(Response::new(String::new())) });
    let service = AnswerLayer::new().layer(layer.layer(handler));
    let call = async |content: &'static str| {
        let request = Request::builder()
            .method("POST")
            .uri("/s.S/M")
            .header("content-type", content);
        let request = request.body(String::new()).unwrap();
        service.clone().oneshot(request).await.unwrap()
    };
    assert_eq!(call("application/json").await.status(), 200);

    let http = call("application/json").await;
    assert_eq!(http.status(), 429);
    let header = |response: &Response<_>, name: &str| -> u64 {
        response.headers()[name].to_str().unwrap().parse().unwrap()
    };
    assert!((70..=100).contains(&header(&http, "retry-after")));

    let grpc = call("application/grpc").await;
    assert_eq!(grpc.status(), 200);
    assert_eq!(grpc.headers()["grpc-status"], "8");
    let pushback = header(&grpc, "grpc-retry-pushback-ms");
    assert!((70_000..=100_000).contains(&pushback), "{pushback}");
}
