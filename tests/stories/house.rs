//! A registry and the servers that are registered in it.

use ziggurat::{
    client::Ziggurat,
    coord::{Registration, Registry},
    core::Instance,
};
use ziggurat_testkit::{EchoRequest, EchoServer, bounded, tonic::Request};

/// Some echo servers, registered as the service `echo`. They end when it is dropped.
pub(crate) struct House {
    pub(crate) registry: Registry,
    pub(crate) servers: Vec<EchoServer>,
    registrations: Vec<Registration>,
}

// === impl House ===

impl House {
    /// So many healthy servers: `echo-0`, `echo-1`, ...
    pub(crate) async fn of(servers: usize) -> Self {
        bounded();
        let mut house = Self {
            registry: Registry::memory(),
            servers: Vec::new(),
            registrations: Vec::new(),
        };
        for _ in 0..servers {
            house.join().await;
        }
        house
    }

    /// Starts one more server and registers it.
    pub(crate) async fn join(&mut self) {
        let name = format!("echo-{}", self.servers.len());
        let server = EchoServer::setup().name(&name).start().await;
        self.register(&name, &server).await;
        self.servers.push(server);
    }

    /// Registers a server of the test's own.
    pub(crate) async fn register(&mut self, name: &str, server: &EchoServer) {
        let address = server.address();
        let instance = Instance::new("echo", name, &address.ip().to_string(), address.port());
        let registration = self.registry.register(instance.unwrap()).await.unwrap();
        self.registrations.push(registration);
    }

    pub(crate) fn ziggurat(&self) -> Ziggurat {
        Ziggurat::new(self.registry.clone())
    }

    /// How many calls the servers have begun, all together.
    pub(crate) fn arrived(&self) -> Vec<u64> {
        self.servers
            .iter()
            .map(|server| server.counts().arrived as u64)
            .collect()
    }
}

/// What to say to an echo server.
pub(crate) fn hello() -> Request<EchoRequest> {
    Request::new(EchoRequest {
        message: "hello".to_owned(),
        ..EchoRequest::default()
    })
}
