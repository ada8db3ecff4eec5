//! Servers that call servers, over sockets, when the last one is down.

use crate::house::hello;
use http::{Request, Response};
use std::{convert::Infallible, time::Duration};
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service, ServiceBuilder, layer::layer_fn, service_fn};
use ziggurat::{
    breaker,
    client::{Channel, ChannelSettings, Ziggurat},
    coord::{Registration, Registry},
    core::Instance,
    retry::{self, chain::ChainLayer},
};
use ziggurat_testkit::{Behaviour, EchoClient, EchoRoutes, EchoServer, bounded};

/// Servers in a row, of which the last one is down.
struct Row {
    registry: Registry,
    servers: Vec<EchoServer>,
    _registrations: Vec<Registration>,
    retry: retry::Settings,
}

// === impl Row ===

impl Row {
    /// So many hops from the caller to the last server.
    async fn of(hops: usize, retry: retry::Settings) -> Self {
        let leaf = EchoServer::start().await;
        leaf.behave(Behaviour::Fail(Code::Unavailable));
        let mut row = Self {
            registry: Registry::memory(),
            servers: Vec::new(),
            _registrations: Vec::new(),
            retry,
        };
        row.add(leaf).await;
        for _ in 1..hops {
            let below = row.channel();
            let layers = ServiceBuilder::new()
                .layer(ChainLayer::new())
                .layer(relay(below));
            row.add(EchoServer::setup().layer(layers.into_inner()).start().await)
                .await;
        }
        row
    }

    async fn add(&mut self, server: EchoServer) {
        let name = format!("hop-{}", self.servers.len());
        let instance = Instance::at(&name, server.address()).unwrap();
        let registration = self.registry.register(instance).await.unwrap();
        self.servers.push(server);
        self._registrations.push(registration);
    }

    /// To the server that was added last.
    fn channel(&self) -> Channel {
        let name = format!("hop-{}", self.servers.len() - 1);
        // It is the retries that are to be seen.
        let breaker = breaker::Settings::default().minimum_calls(65_536).unwrap();
        let breaker = breaker.consecutive_failures(None).unwrap();
        let settings = ChannelSettings::new().retry(self.retry).breaker(breaker);
        let ziggurat = Ziggurat::new(self.registry.clone());
        ziggurat.service(&name, settings).channel(&name)
    }
}

/// A handler that asks `below` first, and makes up a status of its own if that fails.
fn relay(
    below: Channel,
) -> impl Layer<
    EchoRoutes,
    Service: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
                 + Clone
                 + Send
                 + 'static,
> {
    layer_fn(move |echo: EchoRoutes| {
        let client = EchoClient::new(below.clone());
        service_fn(move |request: Request<Body>| {
            let (mut echo, mut client) = (echo.clone(), client.clone());
            async move {
                match client.unary(hello()).await {
                    Ok(_) => echo.call(request).await,
                    Err(status) => Ok(Status::unavailable(status.to_string()).into_http()),
                }
            }
        })
    })
}

async fn arriving(hops: usize, calls: usize) -> usize {
    let backoff =
        ziggurat::core::Backoff::new(Duration::from_millis(1), 1.0, Duration::from_millis(1));
    let settings = retry::Settings::new()
        .enforce_deadline(false)
        .backoff(backoff.unwrap())
        .budget(0.2, 0)
        .unwrap();
    let row = Row::of(hops, settings).await;
    let mut client = EchoClient::new(row.channel());
    for _ in 0..calls {
        client.unary(hello()).await.unwrap_err();
    }
    row.servers[0].counts().arrived
}

#[tokio::test]
async fn four_hops_to_a_server_that_is_down_load_it_as_one_does() {
    bounded();
    let arrived = arriving(4, 200).await;
    assert!((201..=240).contains(&arrived), "{arrived}");
}
