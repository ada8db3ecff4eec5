//! Three servers in a process of their own, so that the client's CPU time is the client's alone.

use super::{args::SERVE, subject::Problem};
use std::{
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio, exit},
    thread,
};
use tokio::{net::TcpListener, task::JoinSet};
use tonic::transport::{Server, server::TcpIncoming};
use ziggurat_testkit::{EchoHandler, proto::echo_server::EchoServer};

/// Ends with the process that started it, or when it is dropped.
pub(crate) struct Servers {
    pub(crate) addresses: Vec<SocketAddr>,
    process: Child,
}

const SERVERS: usize = 3;

// === impl Servers ===

impl Servers {
    /// Runs this program once more, as servers.
    pub(crate) fn start() -> Result<Self, Problem> {
        let process = Command::new(std::env::current_exe()?)
            .arg(SERVE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut servers = Self {
            addresses: Vec::new(),
            process,
        };
        let said = servers.process.stdout.take().ok_or("no pipe")?;
        for line in BufReader::new(said).lines().take(SERVERS) {
            servers.addresses.push(line?.parse()?);
        }
        if servers.addresses.len() < SERVERS {
            return Err("the servers have ended".into());
        }
        Ok(servers)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// Says where it serves, a line each, and ends when its standard input does.
pub(crate) fn serve() -> Result<(), Problem> {
    let (runtime, _heartbeat) = ziggurat_benches::pinned(1)?;
    thread::spawn(|| {
        _ = std::io::stdin().read(&mut [0]);
        exit(0)
    });
    runtime.block_on(async {
        let mut servers = JoinSet::new();
        for _ in 0..SERVERS {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            println!("{}", listener.local_addr()?);
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            let echo = EchoServer::new(EchoHandler::new("echo"));
            servers.spawn(
                Server::builder()
                    .add_service(echo)
                    .serve_with_incoming(incoming),
            );
        }
        while let Some(ended) = servers.join_next().await {
            ended??;
        }
        Ok(())
    })
}
