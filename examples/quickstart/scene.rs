//! The servers, and what happens to them.

use crate::cli::Problem;
use futures_util::future;
use std::time::Duration;
use ziggurat::{
    coord::{Registration, Registry},
    core::Instance,
};
use ziggurat_testkit::{Behaviour, EchoServer, tonic::Code};

pub(crate) const SERVICE: &str = "echo";

/// How long a healthy server takes for a call.
const LATENCY: Duration = Duration::from_millis(2);

/// The servers, and what is still to happen to them.
pub(crate) struct Scene {
    registry: Registry,
    /// What the names of the servers begin with.
    prefix: String,
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
    /// Starts five servers and registers them; where others do as well, by names of their own.
    pub(crate) async fn open(registry: Registry, shared: bool) -> Result<Self, Problem> {
        let mut acts = Vec::from(ACTS).into_iter();
        let prefix = if shared {
            format!("{SERVICE}-{}", std::process::id())
        } else {
            SERVICE.to_owned()
        };
        let mut scene = Self {
            registry,
            prefix,
            servers: Vec::new(),
            registrations: Vec::new(),
            next: acts.next(),
            acts,
        };
        for _ in 0..5 {
            scene.join().await?;
        }
        Ok(scene)
    }

    /// Lets happen what is due at this share of the time, and tells of it.
    pub(crate) async fn play(&mut self, share: f64) -> Result<Vec<String>, Problem> {
        let mut news = Vec::new();
        while let Some((_, act)) = self.next.take_if(|(due, _)| *due <= share) {
            news.push(self.act(act).await?);
            self.next = self.acts.next();
        }
        Ok(news)
    }

    /// Takes all servers out of the registry.
    pub(crate) async fn close(self) {
        let gone = self.registrations.into_iter().map(Registration::deregister);
        // An entry that cannot be deleted now goes with its lease.
        let _gone = future::join_all(gone).await;
    }

    async fn act(&mut self, act: Act) -> Result<String, Problem> {
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
                self.join().await?;
                format!("{} joins", self.servers[self.servers.len() - 1].name())
            }
        })
    }

    async fn join(&mut self) -> Result<(), Problem> {
        let name = format!("{}-{}", self.prefix, self.servers.len() + 1);
        let server = EchoServer::setup().name(&name).start().await;
        server.latency(LATENCY);
        let address = server.address();
        let host = address.ip().to_string();
        let instance = Instance::new(SERVICE, &name, &host, address.port())?;
        let registration = self.registry.register(instance).await?;
        self.registrations.push(registration);
        self.servers.push(server);
        Ok(())
    }
}
