//! The servers, and what happens to them.

use crate::BoxError;
use std::time::Duration;
use ziggurat::coord::{Registration, Registry};
use ziggurat::core::Instance;
use ziggurat_testkit::{Behaviour, EchoServer, tonic::Code};

pub(crate) const SERVICE: &str = "echo";

/// How long a healthy server takes for a call.
const LATENCY: Duration = Duration::from_millis(2);

/// The servers, and what is still to happen to them.
pub(crate) struct Scene {
    servers: Vec<EchoServer>,
    // A crashed server deregisters nothing, so the registry goes on believing in it.
    registrations: Vec<Registration>,
    acts: std::vec::IntoIter<(f64, Act)>,
    next: Option<(f64, Act)>,
}

#[derive(Clone, Copy)]
enum Act {
    Kill,
    Fail,
    SlowDown,
    Stall,
    Join,
}

/// What happens, and at which share of the time.
const ACTS: [(f64, Act); 5] = [
    (0.15, Act::Kill),
    (0.30, Act::Fail),
    (0.45, Act::SlowDown),
    (0.60, Act::Stall),
    (0.75, Act::Join),
];

// === impl Scene ===

impl Scene {
    /// Starts five servers and registers them.
    pub(crate) async fn open(registry: &Registry) -> Result<Self, BoxError> {
        let mut acts = Vec::from(ACTS).into_iter();
        let mut scene = Self {
            servers: Vec::new(),
            registrations: Vec::new(),
            next: acts.next(),
            acts,
        };
        for _ in 0..5 {
            scene.join(registry).await?;
        }
        Ok(scene)
    }

    /// Lets happen what is due at this share of the time, and tells of it.
    pub(crate) async fn play(
        &mut self,
        registry: &Registry,
        share: f64,
    ) -> Result<Vec<String>, BoxError> {
        let mut news = Vec::new();
        while let Some((_, act)) = self.next.take_if(|(due, _)| *due <= share) {
            news.push(self.act(registry, act).await?);
            self.next = self.acts.next();
        }
        Ok(news)
    }

    async fn act(&mut self, registry: &Registry, act: Act) -> Result<String, BoxError> {
        Ok(match act {
            Act::Kill => {
                self.servers[0].kill().await;
                format!("{} is killed: its sockets are cut", self.servers[0].name())
            }
            Act::Fail => {
                self.servers[1].latency(Duration::from_millis(1));
                self.servers[1].behave(Behaviour::Fail(Code::Unavailable));
                format!("{} fails every call in 1 ms", self.servers[1].name())
            }
            Act::SlowDown => {
                self.servers[2].latency(LATENCY * 10);
                format!("{} is 10 times slower", self.servers[2].name())
            }
            Act::Stall => {
                self.servers[3].behave(Behaviour::Stall);
                format!("{} stops answering", self.servers[3].name())
            }
            Act::Join => {
                self.join(registry).await?;
                format!("{} joins", self.servers[self.servers.len() - 1].name())
            }
        })
    }

    async fn join(&mut self, registry: &Registry) -> Result<(), BoxError> {
        let name = format!("{SERVICE}-{}", self.servers.len() + 1);
        let server = EchoServer::setup().name(&name).start().await;
        server.latency(LATENCY);
        let address = server.address();
        let host = address.ip().to_string();
        let instance = Instance::new(SERVICE, &name, &host, address.port())?;
        self.registrations.push(registry.register(instance).await?);
        self.servers.push(server);
        Ok(())
    }
}
