//! gRPC of another implementation: the C core, by way of Python's `grpcio`.

use crate::fetch::{PINNED, pip, run, unpacked};
use std::{
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};
use tokio::task;

/// An echo server of `grpcio`, in a process of its own that ends when this is dropped. What it does
/// with a request is written in `grpcio/serve.py`.
///
/// `grpcio` is fetched from PyPI once, pinned by hash, and kept under `target/`.
#[derive(Debug)]
pub struct GrpcioServer {
    child: Child,
    address: SocketAddr,
}

const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/grpcio");
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/grpcio/requirements.txt");

// === impl GrpcioServer ===

impl GrpcioServer {
    /// Starts it, and waits until it serves.
    ///
    /// # Panics
    /// When there is no `grpcio` to be had, with what to do about it, or when it does not start.
    pub async fn start() -> Self {
        let started = task::spawn_blocking(|| {
            let mut python = python("serve.py");
            // It ends when its input does, be this process killed.
            python.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = python
                .spawn()
                .expect("the python that was found can be run");
            let output = child.stdout.take().expect("its output is piped");
            let mut port = String::new();
            let read = BufReader::new(output).read_line(&mut port);
            read.expect("the output of a child can be read");
            let port = port.trim().parse().expect("it says its port first");
            let address = (Ipv4Addr::LOCALHOST, port).into();
            Self { child, address }
        });
        started.await.expect("it does not panic")
    }

    /// Where it serves.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for GrpcioServer {
    fn drop(&mut self) {
        let _it_may_have_ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Calls the echo server at `address` in every way that `grpcio/call.py` knows: a line for what came
/// of each.
///
/// # Panics
/// When there is no `grpcio` to be had, with what to do about it, or when the program fails.
pub async fn grpcio_client(address: SocketAddr) -> Vec<String> {
    let ran = task::spawn_blocking(move || python("call.py").arg(address.to_string()).output());
    let output = ran.await.expect("it does not panic");
    let output = output.expect("the python that was found can be run");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "call.py: {errors}");
    let lines = String::from_utf8_lossy(&output.stdout);
    lines.lines().map(str::to_owned).collect()
}

fn python(program: &str) -> Command {
    let mut python = Command::new("python3");
    // Nothing is written beside the sources.
    python.arg("-B").arg(Path::new(PROGRAMS).join(program));
    python.env("PYTHONPATH", grpcio());
    python.env("GRPC_VERBOSITY", "ERROR");
    python
}

/// Where the module is, found once a process.
fn grpcio() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let unpacked = unpacked("grpcio", "grpc/__init__.py", |into| {
            let install = ["install", "--no-deps", "--target"];
            run(pip(&install).arg(into).args(PINNED).arg(REQUIREMENTS))
        });
        let module = unpacked.unwrap_or_else(|error| {
            panic!(
                "these tests need python3 (3.10 to 3.14) with pip, and grpcio from PyPI:\n{error}"
            )
        });
        let home = module.ancestors().nth(2);
        home.map_or_else(PathBuf::new, Path::to_owned)
    })
}
