//! A call whose time is up says where the time went.

use crate::house::{House, hello};
use std::time::Duration;
use tonic::{Code, Status};
use tower::{Layer, ServiceExt, service_fn};
use ziggurat::{
    client::RequestExt,
    core::{Backoff, BoxError, Stage, error},
    deadline::{self, DeadlineLayer, Exceeded, Phase},
    retry::{self, RetryLayer},
};
use ziggurat_testkit::{Behaviour, EchoClient, bounded};

const SOON: Duration = Duration::from_millis(150);

/// What a call is answered that has little time.
async fn late(house: &House) -> Status {
    let mut client = EchoClient::new(house.ziggurat().channel("echo"));
    let request = hello().wait_for_ready().with_timeout(SOON);
    let status = client.unary(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    status
}

async fn late_by(behaviour: Behaviour) -> Status {
    let house = House::of(1).await;
    house.servers[0].behave(behaviour);
    late(&house).await
}

#[tokio::test]
async fn it_waited_for_an_endpoint() {
    let status = late(&House::of(0).await).await;
    // Of two timers of one moment either may be first: the balance's says who was waited for.
    assert!(status.message().contains("endpoint"), "{status}");
    if let Some(exceeded) = error::find::<Exceeded>(&status) {
        assert_eq!(exceeded.stage(), Some(Stage::Endpoint));
    }
}

#[tokio::test]
async fn it_waited_for_the_response() {
    let status = late_by(Behaviour::Stall).await;
    assert!(
        status.message().ends_with("waiting for the response"),
        "{status}"
    );
    let exceeded = error::find::<Exceeded>(&status).unwrap();
    assert_eq!(
        (exceeded.phase(), exceeded.stage()),
        (Phase::Response, None)
    );
    assert_eq!(exceeded.attempt(), Some(1));
}

#[tokio::test]
async fn it_read_the_body() {
    let status = late_by(Behaviour::StallBody).await;
    assert!(
        status.message().ends_with("reading the response body"),
        "{status}"
    );
}

#[tokio::test(start_paused = true)]
async fn it_waited_to_try_again() {
    bounded();
    let pause = Duration::from_secs(1);
    let backoff = Backoff::new(pause, 1.0, pause).unwrap();
    let retry = retry::Settings::new()
        .backoff(backoff)
        .assume_idempotent(true);
    let within = deadline::Settings::new(SOON).unwrap();
    let failing = service_fn(|_: u8| async { Err::<u8, BoxError>("down".into()) });
    // Values carry no deadline: nothing tells retry that the pause is too long.
    let stack = DeadlineLayer::values(within).layer(RetryLayer::values(retry).layer(failing));
    let error = stack.oneshot(1).await.unwrap_err();
    let exceeded = error::find::<Exceeded>(&*error).unwrap();
    assert_eq!(exceeded.stage(), Some(Stage::Backoff));
    assert_eq!(
        exceeded.to_string(),
        "deadline exceeded after 150ms waiting for attempt 2"
    );
}
