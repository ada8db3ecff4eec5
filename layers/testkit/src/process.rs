//! A server of another project: a child process that a test may kill, freeze and start again.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};
use tokio::time;

/// A process with a directory of its own. It is killed, and its directory deleted, when this is
/// dropped.
#[derive(Debug)]
pub(crate) struct Process {
    /// What messages call it.
    name: &'static str,
    directory: PathBuf,
    child: Option<Child>,
}

/// How long a server may take to answer, on a machine that is busy with other tests.
pub(crate) const START: Duration = Duration::from_secs(30);
/// How long to wait before a server is asked again.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

// === impl Process ===

impl Process {
    /// One that is not running yet.
    ///
    /// # Panics
    /// When the temporary directory cannot be written to.
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            directory: new_directory(name),
            child: None,
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) const fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Ends it as a power cut would, be it frozen.
    ///
    /// # Panics
    /// When it cannot be ended.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child can be killed by its parent");
            child.wait().expect("a killed child ends");
        }
    }

    /// Runs `command` in the place of what ran before; what it says goes to the log.
    ///
    /// # Panics
    /// When it cannot be run.
    pub(crate) fn spawn(&mut self, mut command: Command) {
        self.kill();
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.directory.join("log"))
            .expect("the directory of a test can be written to");
        let errors = log.try_clone().expect("a file handle can be cloned");
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        self.child = Some(
            command
                .spawn()
                .expect("the server that was found can be run"),
        );
    }

    /// Waits until `answers` says that it does.
    ///
    /// # Panics
    /// When it ends instead, or does not answer in time.
    pub(crate) async fn until(&mut self, answers: impl AsyncFn() -> bool) {
        let deadline = time::Instant::now() + START;
        let name = self.name;
        while !answers().await {
            let child = self.child.as_mut().expect("it was just started");
            let ended = child.try_wait().expect("a child can be asked");
            assert!(ended.is_none(), "{name} ended ({ended:?}): {}", self.log());
            let late = time::Instant::now() > deadline;
            assert!(!late, "{name} does not answer: {}", self.log());
            time::sleep(PAUSE).await;
        }
    }

    /// Freezes it: its connections stay, and nothing comes any more.
    ///
    /// # Panics
    /// When it is not running.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets a frozen one go on.
    ///
    /// # Panics
    /// When it is not running.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let child = self.child.as_ref().expect("it is running");
        let id = child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.expect("there is `kill`").success(), "kill {signal}");
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        let _deleted = fs::remove_dir_all(&self.directory);
    }
}

fn new_directory(name: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let own = format!("{}-{}", process::id(), COUNT.fetch_add(1, Relaxed));
    let directory = env::temp_dir().join(format!("ziggurat-{name}")).join(own);
    let _left_by_an_earlier_process = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("the temporary directory can be written to");
    directory
}
