//! A channel whose layers tell one observer what they do.

use crate::house::{House, hello};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use ziggurat::{
    balance, breaker,
    client::{ChannelSettings, RequestExt, Ziggurat},
    connect,
    core::{EndpointId, Outcome},
    deadline::{self, Exceeded},
    discover, health,
    retry::{self, Why},
};
use ziggurat_testkit::{Behaviour, EchoClient, tonic::Code};

/// Remembers what it hears, and of which service.
#[derive(Clone)]
struct Ear {
    service: Arc<str>,
    heard: Heard,
}

type Heard = Arc<Mutex<Vec<String>>>;

impl Ear {
    fn hear(&self, what: &str) {
        self.heard
            .lock()
            .unwrap()
            .push(format!("{} {what}", self.service));
    }
}

impl balance::Observer for Ear {
    fn finished(&self, _: &EndpointId, outcome: Outcome, _: Duration) {
        self.hear(&format!("balance {outcome:?}"));
    }
}

impl breaker::Observer for Ear {
    fn changed(&self, _: breaker::State, to: breaker::State) {
        self.hear(&format!("breaker {}", to.name()));
    }
}

impl connect::Observer for Ear {
    fn connected(&self, _: &EndpointId, _: Duration) {
        self.hear("connect");
    }
}

impl deadline::Observer for Ear {
    fn exceeded(&self, _: &Exceeded) {
        self.hear("deadline");
    }
}

impl discover::Observer for Ear {
    fn changed(&self, _: &str, instances: usize, _: usize) {
        self.hear(&format!("discover {instances}"));
    }
}

impl health::Observer for Ear {
    /// It is the only one there is.
    fn spared(&self, _: &str, _: &EndpointId) {
        self.hear("health");
    }
}

impl retry::Observer for Ear {
    fn retried(&self, number: u32, _: Why, _: Duration) {
        self.hear(&format!("retry {number}"));
    }
}

#[tokio::test]
async fn one_observer_hears_all_layers_of_a_channel_and_of_which_service() {
    let house = House::of(1).await;
    let heard = Heard::default();
    let ears = heard.clone();
    let settings = ChannelSettings::new().observe_with(move |service| Ear {
        service: service.into(),
        heard: ears.clone(),
    });
    let ziggurat = Ziggurat::new(house.registry.clone()).settings(settings);
    // Of another service nobody hears by the name of this one.
    let _ = EchoClient::new(ziggurat.channel("nobody"))
        .unary(hello())
        .await;
    let mut client = EchoClient::new(ziggurat.channel("echo"));
    let server = &house.servers[0];
    server.behave_next(1, Behaviour::Fail(Code::Unavailable));
    client.unary(hello()).await.unwrap();
    server.behave(Behaviour::Stall);
    let late = hello().with_timeout(Duration::from_millis(50));
    client.unary(late).await.unwrap_err();
    server.behave(Behaviour::Fail(Code::Internal));
    for _ in 0..5 {
        client.unary(hello()).await.unwrap_err();
    }
    let heard = heard.lock().unwrap();
    for what in [
        "connect",
        "discover 1",
        "retry 2",
        "balance Success",
        "balance Failure",
        "balance Timeout",
        "deadline",
        "health",
        "breaker open",
    ] {
        let line = format!("echo {what}");
        assert!(heard.contains(&line), "{line}: {heard:?}");
    }
    assert!(!heard.contains(&"nobody connect".to_owned()));
}
