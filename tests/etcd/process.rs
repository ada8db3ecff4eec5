//! Processes next to the one of the test, and what they say.

use super::support::LONG;
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread,
};
use tokio::{sync::mpsc, time};

/// A process that is ended with this, whatever becomes of the test.
pub(super) struct Process {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
}

// === impl Process ===

impl Process {
    pub(super) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = mpsc::unbounded_channel();
        // Ends with the process.
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _nobody_listens = tell.send(line);
            }
        });
        Self { child, lines }
    }

    /// What it says next; nothing once it has ended.
    pub(super) async fn line(&mut self) -> Option<String> {
        let line = time::timeout(LONG, self.lines.recv()).await;
        line.expect("it says something, or ends")
    }

    /// What it has said by now.
    pub(super) fn said(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.lines.try_recv().ok()).collect()
    }

    pub(super) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.unwrap().success(), "kill {signal}");
    }

    /// Ends it as a crash would.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended_before = self.child.kill();
        let _ended_before = self.child.wait();
    }
}
