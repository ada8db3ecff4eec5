//! One line for a service author: a channel by the service's name.

use crate::house::{House, hello};
use std::time::Duration;
use tonic::{Code, Request, codec::CompressionEncoding, metadata::MetadataValue};
use ziggurat::{
    client::{ChannelSettings, ChannelState, RequestExt, Unaddressable, Ziggurat},
    coord::Registry,
    core::{Instance, Live, State, error},
    deadline,
};
use ziggurat_testkit::{EchoClient, EchoRequest, EchoServer, bounded};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_service_is_called_by_its_name() {
    let house = House::of(3).await;
    let mut client = EchoClient::new(house.ziggurat().channel("echo"));
    for _ in 0..90 {
        let reply = client.unary(hello()).await.unwrap().into_inner();
        assert_eq!(reply.message, "hello");
    }
    assert!(
        house.arrived().iter().all(|calls| *calls >= 1),
        "{:?}",
        house.arrived()
    );
}

#[tokio::test]
async fn streams_of_all_kinds_pass_through() {
    let house = House::of(2).await;
    let mut client = EchoClient::new(house.ziggurat().channel("echo"));
    let request = EchoRequest {
        message: "again".to_owned(),
        repeat: 5,
        ..EchoRequest::default()
    };
    let mut replies = client
        .server_stream(request.clone())
        .await
        .unwrap()
        .into_inner();
    let mut heard = 0;
    while let Some(reply) = replies.message().await.unwrap() {
        assert_eq!(reply.message, "again");
        heard += 1;
    }
    assert_eq!(heard, 5);

    let requests = vec![request.clone(), request.clone(), request];
    let said = client
        .client_stream(tokio_stream(requests.clone()))
        .await
        .unwrap()
        .into_inner();
    assert!(said.message.contains("again"));
    let mut replies = client
        .bidi(tokio_stream(requests))
        .await
        .unwrap()
        .into_inner();
    assert!(replies.message().await.unwrap().is_some());
}

#[tokio::test]
async fn channels_of_one_name_share_everything() {
    let house = House::of(1).await;
    let ziggurat = house.ziggurat();
    let channels: Vec<_> = (0..100).map(|_| ziggurat.channel("echo")).collect();
    for channel in &channels {
        EchoClient::new(channel.clone())
            .unary(hello())
            .await
            .unwrap();
    }
    assert_eq!(
        house.servers[0].counts().accepted,
        1,
        "one connection serves all channels"
    );
    assert_eq!(channels[99].endpoints()[0].calls(), 100);
}

#[tokio::test]
async fn a_channel_that_is_asked_for_on_every_request_is_one_channel() {
    let house = House::of(1).await;
    let ziggurat = house.ziggurat();
    for _ in 0..20 {
        EchoClient::new(ziggurat.channel("echo"))
            .unary(hello())
            .await
            .unwrap();
    }
    assert_eq!(house.servers[0].counts().accepted, 1);
}

#[tokio::test]
async fn dropping_the_last_channel_and_its_maker_closes_the_connections() {
    let house = House::of(2).await;
    let channel = house.ziggurat().channel("echo");
    EchoClient::new(channel.clone())
        .unary(hello())
        .await
        .unwrap();
    drop(channel);
    for server in &house.servers {
        server.until(|counts| counts.connections == 0).await;
    }
}

#[tokio::test]
async fn a_stream_that_was_read_to_its_end_does_not_hold_up_the_close() {
    let house = House::of(1).await;
    let channel = house.ziggurat().channel("echo");
    let mut client = EchoClient::new(channel.clone());
    let mut stream = client.server_stream(hello()).await.unwrap().into_inner();
    while stream.message().await.unwrap().is_some() {}
    channel.close().await;
    drop(stream);
}

#[tokio::test]
async fn a_channel_connects_when_it_is_told_and_says_how_it_does() {
    let house = House::of(1).await;
    let channel = house.ziggurat().channel("echo");
    assert_eq!(channel.state(), ChannelState::Idle);
    channel.connect().await.unwrap();
    assert_eq!(channel.state(), ChannelState::Ready);
    channel.ready().await.unwrap();
    assert!(
        channel
            .endpoints()
            .iter()
            .all(|endpoint| endpoint.state() == State::Ready)
    );

    let nobody = house.ziggurat().channel("nobody");
    let error = nobody.connect().await.unwrap_err();
    assert!(
        error.to_string().contains("no endpoints for nobody"),
        "{error}"
    );
    assert_eq!(nobody.state(), ChannelState::Connecting);
}

#[tokio::test]
async fn closing_waits_for_the_calls_in_flight_and_refuses_new_ones() {
    let house = House::of(1).await;
    house.servers[0].latency(Duration::from_millis(100));
    let channel = house.ziggurat().channel("echo");
    let mut client = EchoClient::new(channel.clone());
    let mut other = client.clone();
    let call = async { other.unary(hello()).await };
    let close = async {
        house.servers[0].until(|counts| counts.arrived == 1).await;
        channel.close().await;
        house.servers[0].counts().finished
    };
    let (answer, finished) = tokio::join!(call, close);
    answer.unwrap();
    assert_eq!(finished, 1);
    assert_eq!(channel.state(), ChannelState::Shutdown);
    let status = client.unary(hello()).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "the channel was closed")
    );
    assert!(error::find::<ziggurat::client::Closed>(&status).is_some());

    // A new channel of the name is a new one.
    EchoClient::new(house.ziggurat().channel("echo"))
        .unary(hello())
        .await
        .unwrap();
}

#[tokio::test]
async fn interceptors_compression_and_limits_work_as_on_any_channel() {
    let house = House::of(1).await;
    house.servers[0].record(true);
    let authorize = |mut request: Request<()>| {
        request
            .metadata_mut()
            .insert("authorization", MetadataValue::from_static("Bearer x"));
        Ok(request)
    };
    let channel = house.ziggurat().channel("echo");
    let mut client = EchoClient::with_interceptor(channel.clone(), authorize)
        .send_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Gzip);
    let status = client.unary(hello()).await.unwrap_err();
    assert_eq!(
        status.code(),
        Code::Unimplemented,
        "the server knows no gzip, and says so: {status}"
    );
    let seen = house.servers[0].recorded();
    assert_eq!(seen[0]["authorization"], "Bearer x");
    assert_eq!(seen[0]["grpc-encoding"], "gzip");

    let mut strict = EchoClient::new(channel).max_decoding_message_size(3);
    let status = strict.unary(hello()).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
}

#[tokio::test]
async fn the_user_agent_can_be_overridden() {
    let house = House::of(1).await;
    let settings = ChannelSettings::new().user_agent("sturdy/1.0").unwrap();
    let ziggurat = Ziggurat::new(house.registry.clone()).service("echo", settings);
    EchoClient::new(ziggurat.channel("echo"))
        .unary(hello())
        .await
        .unwrap();
    let headers = house.servers[0].last_headers().unwrap();
    assert!(
        headers["user-agent"]
            .to_str()
            .unwrap()
            .starts_with("sturdy/1.0"),
        "{headers:?}"
    );
}

#[tokio::test]
async fn a_service_is_addressed_by_its_name_or_by_another_authority() {
    let (seen, mut authorities) = tokio::sync::mpsc::unbounded_channel();
    let spy =
        tower::util::MapRequestLayer::new(move |request: http::Request<tonic::body::Body>| {
            let _ = seen.send(request.uri().authority().map(ToString::to_string));
            request
        });
    let server = EchoServer::setup().layer(spy).start().await;
    let mut house = House::of(0).await;
    house.register("spied", &server).await;
    EchoClient::new(house.ziggurat().channel("echo"))
        .unary(hello())
        .await
        .unwrap();
    assert_eq!(authorities.recv().await.unwrap().as_deref(), Some("echo"));

    let settings = ChannelSettings::new().authority("echo.test:443").unwrap();
    let ziggurat = house.ziggurat().settings(settings);
    EchoClient::new(ziggurat.channel("echo"))
        .unary(hello())
        .await
        .unwrap();
    assert_eq!(
        authorities.recv().await.unwrap().as_deref(),
        Some("echo.test:443")
    );
}

#[tokio::test]
async fn settings_change_under_a_running_channel() {
    let house = House::of(1).await;
    let (setter, timeouts) = Live::channel(deadline::Settings::unbounded());
    let settings = ChannelSettings::new().deadline(timeouts);
    let mut client = EchoClient::new(house.ziggurat().settings(settings).channel("echo"));
    client.unary(hello()).await.unwrap();
    assert!(
        house.servers[0]
            .last_headers()
            .unwrap()
            .get("grpc-timeout")
            .is_none()
    );
    setter.set(deadline::Settings::new(SECOND).unwrap());
    client.unary(hello()).await.unwrap();
    assert!(
        house.servers[0]
            .last_headers()
            .unwrap()
            .get("grpc-timeout")
            .is_some()
    );
}

#[tokio::test]
async fn a_stream_that_has_no_timeout_outlives_that_of_its_channel() {
    let house = House::of(1).await;
    let short = deadline::Settings::new(SECOND / 4).unwrap();
    let settings = ChannelSettings::new().deadline(short);
    let mut client = EchoClient::new(house.ziggurat().settings(settings).channel("echo"));
    // A message now, and one long after the timeout.
    let twice = || {
        futures_util::stream::unfold(0, |said: u32| async move {
            tokio::time::sleep(said * SECOND / 2).await;
            (said < 2).then(|| (hello().into_inner(), said + 1))
        })
    };
    let asked = Request::new(twice()).without_timeout();
    let mut replies = client.bidi(asked).await.unwrap().into_inner();
    for _ in 0..2 {
        assert!(replies.message().await.unwrap().is_some());
    }
    assert!(replies.message().await.unwrap().is_none());

    let mut replies = client.bidi(twice()).await.unwrap().into_inner();
    assert!(replies.message().await.unwrap().is_some());
    let status = replies.message().await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
}

#[tokio::test]
async fn a_call_carries_its_deadline_and_its_trace() {
    let house = House::of(1).await;
    let mut client = EchoClient::new(house.ziggurat().channel("echo"));
    client.unary(hello().with_timeout(SECOND)).await.unwrap();
    let headers = house.servers[0].last_headers().unwrap();
    let timeout = ziggurat::core::grpc::decode_timeout(&headers["grpc-timeout"]).unwrap();
    assert!(timeout <= SECOND && timeout > SECOND / 10, "{timeout:?}");
    let parent = headers["traceparent"].to_str().unwrap();
    assert_eq!((parent.len(), &parent[..3]), (55, "00-"));
    let trace = headers["x-trace-id"].to_str().unwrap().replace('-', "");
    assert_eq!(trace, parent[3..35]);
}

#[tokio::test]
async fn the_name_of_the_trace_is_said_once_where_nobody_reads_x_trace_id() {
    let house = House::of(1).await;
    let settings = ChannelSettings::new().x_trace_id(false);
    let mut client = EchoClient::new(house.ziggurat().settings(settings).channel("echo"));
    client.unary(hello()).await.unwrap();
    let headers = house.servers[0].last_headers().unwrap();
    assert!(!headers.contains_key("x-trace-id"));
    assert_eq!(headers["traceparent"].len(), 55);
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_unavailable_and_never_hangs() {
    let house = House::of(0).await;
    let mut client = EchoClient::new(house.ziggurat().channel("nobody"));
    let status = client.unary(hello()).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "no endpoints for nobody")
    );

    let patient = hello()
        .wait_for_ready()
        .with_timeout(Duration::from_millis(50));
    let status = client.unary(patient).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
}

#[tokio::test]
async fn a_service_whose_name_is_no_authority_is_refused_by_field_and_value() {
    bounded();
    let server = EchoServer::start().await;
    let registry = Registry::memory();
    let address = server.address();
    let instance = Instance::new("team/echo", "a", &address.ip().to_string(), address.port());
    let _registration = registry.register(instance.unwrap()).await.unwrap();
    let ziggurat = Ziggurat::new(registry);
    let channel = ziggurat.channel("team/echo");
    let status = EchoClient::new(channel.clone()).unary(hello()).await;
    let status = status.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let told = status.message();
    assert!(told.contains(r#"service "team/echo" must be"#), "{told}");
    for not_ready in [channel.connect().await, channel.ready().await] {
        let not_ready = not_ready.unwrap_err();
        assert_eq!(not_ready.to_string(), told);
        assert!(error::find::<Unaddressable>(&not_ready).is_some());
    }

    let settings = ChannelSettings::new().authority("echo.team").unwrap();
    let mut client = EchoClient::new(ziggurat.settings(settings).channel("team/echo"));
    client.unary(hello()).await.unwrap();
}

#[tokio::test]
async fn a_call_that_waits_is_served_by_the_endpoint_that_comes() {
    let mut house = House::of(0).await;
    let mut client = EchoClient::new(house.ziggurat().channel("echo"));
    let call = async {
        client
            .unary(hello().wait_for_ready().with_timeout(20 * SECOND))
            .await
    };
    let (answer, ()) = tokio::join!(call, house.join());
    assert_eq!(answer.unwrap().into_inner().server, "echo-0");
}

fn tokio_stream<T>(items: Vec<T>) -> impl futures_core::Stream<Item = T> + Send + 'static
where
    T: Send + 'static + Unpin,
{
    futures_util::stream::iter(items)
}
