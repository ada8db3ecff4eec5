//! A channel by its name, with all that is on by default.

use super::subject::{Problem, Subject};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::time;
use ziggurat::{
    client::{Channel, Ziggurat},
    coord::Registry,
};
use ziggurat_core::{Instance, State};
use ziggurat_testkit::EchoClient;

const SERVICE: &str = "echo";

pub(crate) async fn ziggurat(addresses: &[SocketAddr]) -> Result<Subject, Problem> {
    let registry = Registry::memory();
    let mut registrations = Vec::new();
    for address in addresses {
        let instance = Instance::at(SERVICE, *address)?;
        registrations.push(registry.register(instance).await?);
    }
    let channel = Ziggurat::new(registry).channel(SERVICE);
    channel.connect().await?;
    time::timeout(Duration::from_secs(10), whole(&channel, addresses.len())).await?;

    let client = EchoClient::new(channel);
    // As long as the subject: who is not registered any more is not called.
    let registered = Arc::new(registrations);
    Ok(Subject::new("ziggurat", move |request| {
        let _registered = &registered;
        let mut client = client.clone();
        async move { Ok(client.unary(request).await?) }
    }))
}

/// One endpoint is enough to call; here all of them are to be there.
async fn whole(channel: &Channel, endpoints: usize) {
    let ready = || {
        let endpoints = channel.endpoints();
        let ready = endpoints.iter().filter(|one| one.state() == State::Ready);
        ready.count()
    };
    while ready() < endpoints {
        time::sleep(Duration::from_millis(10)).await;
    }
}
