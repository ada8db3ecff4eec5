//! The examples as child processes.

use std::{
    env,
    path::PathBuf,
    process::{self, Stdio},
    sync::OnceLock,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time,
};

/// An example that runs, until this is dropped.
pub(super) struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

const LONG: Duration = Duration::from_secs(60);

// === impl Program ===

impl Program {
    pub(super) fn start(name: &str, args: &[&str]) -> Self {
        let mut child = command(name, args).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line that it prints with all of these in it.
    pub(super) async fn says(&mut self, what: &[&str]) -> String {
        let saying = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if what.iter().all(|what| line.contains(what)) {
                    return line;
                }
            }
            panic!("it ended without {what:?}");
        };
        let said = time::timeout(LONG, saying).await;
        said.unwrap_or_else(|_| panic!("it never says {what:?}"))
    }

    pub(super) fn tell(&self, signal: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = process::Command::new("kill").args([signal, &id]).status();
        assert!(sent.unwrap().success(), "kill {signal}");
    }

    pub(super) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end: the exit code, and the last line that it printed.
    pub(super) async fn ends(mut self) -> (Option<i32>, String) {
        let ending = async {
            let mut last = String::new();
            while let Some(line) = self.lines.next_line().await.unwrap() {
                last = line;
            }
            (self.child.wait().await.unwrap().code(), last)
        };
        time::timeout(LONG, ending).await.expect("it ends")
    }
}

/// Runs an example to its end: the exit code, and what it printed and complained about.
pub(super) fn run(
    name: &str,
    args: &[&str],
) -> impl Future<Output = (Option<i32>, String, String)> + use<> {
    // Now, as nobody's time may run out while it is built.
    let mut command = command(name, args);
    async move {
        let ended = time::timeout(LONG, command.output()).await;
        let output = ended.expect("it ends").unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }
}

fn command(name: &str, args: &[&str]) -> Command {
    let program = examples().join(format!("{name}{}", env::consts::EXE_SUFFIX));
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Where the examples are. `cargo test --test etcd` builds none, and what is there may be old or have
/// no etcd, so cargo is asked: with the features and the profile of this test, it has little to do.
fn examples() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // <target>/<profile>/deps/<this program>
        let own = env::current_exe().unwrap();
        let home = own.ancestors().nth(2).expect("cargo puts tests there");
        let profile = match home.file_name().and_then(|name| name.to_str()) {
            None | Some("debug") => "dev",
            Some(profile) => profile,
        };
        let features: &[&str] = if cfg!(feature = "uuid") {
            &["--all-features"]
        } else {
            &["--features", "etcd"]
        };
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = process::Command::new(cargo);
        build.args(["build", "--quiet", "--locked", "--profile", profile]);
        build.args(features);
        for example in ["quickstart", "server", "client", "coord"] {
            build.args(["--example", example]);
        }
        build.env(
            "CARGO_TARGET_DIR",
            home.parent().expect("a target directory"),
        );
        let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status();
        let built = built.is_ok_and(|status| status.success());
        assert!(built, "the examples cannot be built: {build:?}");
        home.join("examples")
    })
}
