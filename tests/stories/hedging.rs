//! Calls that are slow are made once more, elsewhere, and nobody is blamed for those that lost.

use crate::house::{House, hello};
use std::time::Duration;
use ziggurat::{
    client::{ChannelSettings, RequestExt},
    core::{Live, State},
    retry::{
        Methods,
        hedge::{Delay, Settings},
    },
};
use ziggurat_testkit::EchoClient;

const CALLS: u64 = 20;

/// Trap 38 of hedging, and that a loser's end is neither a failure nor a sample of latency.
#[tokio::test]
async fn a_server_that_hangs_is_passed_over_and_not_blamed() {
    let house = House::of(2).await;
    house.servers[0].latency(Duration::from_secs(3_600));
    let delay = Delay::Fixed(Duration::from_millis(30));
    let settings = ChannelSettings::new().hedge(Settings::new().delay(delay).unwrap());
    let channel = house.ziggurat().settings(settings).channel("echo");
    channel.connect().await.unwrap();
    let mut client = EchoClient::new(channel.clone());
    for _ in 0..CALLS {
        let answer = client.unary(hello().idempotent()).await.unwrap();
        assert_eq!(answer.into_inner().server, "echo-1");
    }
    // Each that hung had its hedge, and that went to the other one.
    let arrived = house.arrived();
    assert_eq!(arrived[1], CALLS);
    assert!((1..=CALLS).contains(&arrived[0]), "{arrived:?}");
    for endpoint in channel.endpoints() {
        assert_eq!(endpoint.state(), State::Ready, "{endpoint:?}");
        assert_eq!(endpoint.failures(), 0, "{endpoint:?}");
    }
}

#[tokio::test]
async fn a_call_that_must_not_be_made_twice_is_not() {
    let house = House::of(2).await;
    let slow = Duration::from_millis(200);
    house.servers.iter().for_each(|server| server.latency(slow));
    let at_once = Settings::new().delay(Delay::Fixed(Duration::ZERO)).unwrap();
    let settings = ChannelSettings::new().hedge(at_once);
    let channel = house.ziggurat().settings(settings).channel("echo");
    let mut client = EchoClient::new(channel);
    client.unary(hello()).await.unwrap();
    assert_eq!(house.arrived().iter().sum::<u64>(), 1);
    client.unary(hello().idempotent()).await.unwrap();
    assert_eq!(house.arrived().iter().sum::<u64>(), 3);
}

/// One method has a hedging policy, and the others of its service none; both may change.
#[tokio::test]
async fn what_is_hedged_is_said_by_method_and_may_change() {
    let house = House::of(2).await;
    let slow = Duration::from_millis(200);
    house.servers.iter().for_each(|server| server.latency(slow));
    let at_once = Settings::new().delay(Delay::Fixed(Duration::ZERO)).unwrap();
    let at_once = at_once.any_call(true);
    let methods = Methods::new().on("/echo.v1.Echo/", at_once);
    let (setter, live) = Live::channel(methods.unwrap());
    let settings = ChannelSettings::new().hedge_by_method(live);
    let channel = house.ziggurat().settings(settings).channel("echo");
    let mut client = EchoClient::new(channel);
    client.unary(hello()).await.unwrap();
    assert_eq!(house.arrived().iter().sum::<u64>(), 2);
    let none = setter.load().as_ref().clone();
    let none = none.on("/echo.v1.Echo/Unary", Settings::off());
    setter.set(none.unwrap());
    client.unary(hello()).await.unwrap();
    assert_eq!(house.arrived().iter().sum::<u64>(), 3);
}
