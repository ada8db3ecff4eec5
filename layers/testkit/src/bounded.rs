//! Tests that hang: named, and ended with their process.

use crate::lock;
use std::{
    env,
    io::{self, Write},
    process,
    sync::{Mutex, Once},
    thread::{self, ThreadId},
    time::Duration,
};

// The clock of a test may stand still, and a hung test stops nothing but itself.
#[allow(clippy::disallowed_types, reason = "real time is what is bounded")]
type Instant = std::time::Instant;

/// A thread that runs a test.
#[derive(Debug)]
struct Watched {
    thread: ThreadId,
    test: String,
    since: Instant,
}

/// Ends the watch with its thread: libtest runs each test in one of its own.
struct Watch(ThreadId);

static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

thread_local! {
    static WATCH: Watch = Watch(thread::current().id());
}

/// Far longer than any test takes on a machine that is busy.
const LIMIT: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_secs(1);

/// Another limit, in seconds.
const VARIABLE: &str = "ZIGGURAT_TEST_SECONDS";

/// Gives the test of this thread ten minutes from now, or `ZIGGURAT_TEST_SECONDS`, of real time: then its
/// name is printed and the process is aborted, for a hung test would keep all others waiting for ever.
///
/// It is for tests that run in a thread of their own, as libtest has them unless there is one thread for
/// all; in others it does nothing. The limit begins anew whenever it is called.
///
/// # Panics
///
/// When the machine has no thread left.
pub fn bounded() {
    static WATCHDOG: Once = Once::new();
    let thread = thread::current();
    let Some(test) = thread.name().filter(|name| *name != "main") else {
        return;
    };
    // Made now, so that it ends with the thread; one that is ending already is not watched.
    if WATCH.try_with(|_| ()).is_err() {
        return;
    }
    let mut all = lock(&WATCHED);
    all.retain(|watched| watched.thread != thread.id());
    all.push(Watched {
        thread: thread.id(),
        test: test.to_owned(),
        since: Instant::now(),
    });
    drop(all);
    WATCHDOG.call_once(|| {
        let builder = thread::Builder::new().name("watchdog".to_owned());
        builder.spawn(watch).expect("there is room for a thread");
    });
}

// === impl Watch ===

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&WATCHED).retain(|watched| watched.thread != self.0);
    }
}

fn watch() {
    let limit = env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
    let limit = limit.map_or(LIMIT, Duration::from_secs);
    loop {
        thread::park_timeout(PAUSE.min(limit));
        let now = Instant::now();
        let late = late(&lock(&WATCHED), now, limit);
        if !late.is_empty() {
            // Not by a macro: what these print is kept for tests that end.
            let names = late.join(", ");
            let _nobody_reads = writeln!(io::stderr(), "not over after {limit:?}: {names}");
            process::abort();
        }
    }
}

fn late(watched: &[Watched], now: Instant, limit: Duration) -> Vec<String> {
    let late = |watched: &&Watched| now.saturating_duration_since(watched.since) >= limit;
    let names = watched.iter().filter(late);
    names.map(|watched| watched.test.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn only_who_is_late_is_named() {
        let since = Instant::now();
        let thread = thread::current().id();
        let watched = |test: &str, since| Watched {
            thread,
            test: test.to_owned(),
            since,
        };
        let second = Duration::from_secs(1);
        let all = [watched("a", since), watched("b", since + second)];
        assert_eq!(late(&all, since + second, 2 * second), [""; 0]);
        assert_eq!(late(&all, since + 2 * second, 2 * second), ["a"]);
        assert_eq!(late(&all, since + 3 * second, 2 * second), ["a", "b"]);
    }

    #[test]
    fn who_ends_is_not_watched_any_more() {
        let ended = thread::Builder::new()
            .name("ends".to_owned())
            .spawn(bounded);
        ended.unwrap().join().unwrap();
        assert!(lock(&WATCHED).iter().all(|watched| watched.test != "ends"));
    }

    #[tokio::test(start_paused = true)]
    #[ignore = "the next test runs it, in a process of its own"]
    async fn hangs() {
        bounded();
        std::future::pending::<()>().await;
    }

    #[test]
    fn a_test_that_hangs_is_named_and_ended() {
        let mut hung = Command::new(env::current_exe().unwrap());
        hung.args(["--ignored", "--exact", "bounded::tests::hangs"]);
        let output = hung.env(VARIABLE, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(
            said.contains("not over after 1s: bounded::tests::hangs"),
            "{said}"
        );
    }
}
