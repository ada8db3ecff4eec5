//! A live table on a terminal, plain lines anywhere else.

use crate::tally::Tally;
use std::{
    fmt::Write as _,
    io::{IsTerminal, Write as _, stdout},
    time::Duration,
};
use ziggurat::{balance::EndpointView, core::State};

pub(crate) struct Screen {
    terminal: bool,
    length: Duration,
    /// How many lines the table on the screen has.
    drawn: usize,
    /// When the next plain line is due.
    due: Duration,
}

const BAR: usize = 50;

// === impl Screen ===

impl Screen {
    pub(crate) fn new(length: Duration) -> Self {
        Self {
            terminal: stdout().is_terminal(),
            length,
            drawn: 0,
            due: Duration::ZERO,
        }
    }

    /// Tells what has just happened, above the table.
    pub(crate) fn say(&mut self, elapsed: Duration, news: &str) {
        self.erase();
        println!("{:5.1} s  {news}", elapsed.as_secs_f64());
    }

    /// Draws the table anew; without a terminal, a line each second.
    pub(crate) fn show(&mut self, elapsed: Duration, endpoints: &[EndpointView], tally: &Tally) {
        let (calls, failed) = tally.totals();
        if self.terminal {
            self.erase();
            let mut text = table(endpoints, tally);
            let _ = writeln!(
                text,
                "{} {calls} calls, {failed} failed",
                bar(elapsed, self.length)
            );
            self.draw(&text);
        } else if elapsed >= self.due {
            self.due += Duration::from_secs(1);
            let ready = endpoints
                .iter()
                .filter(|endpoint| endpoint.state() == State::Ready)
                .count();
            let seconds = elapsed.as_secs_f64();
            let of = endpoints.len();
            println!("{seconds:5.1} s  {calls} calls, {failed} failed, {ready} of {of} ready");
        }
    }

    /// Leaves the last table on the screen.
    pub(crate) fn finish(&mut self, endpoints: &[EndpointView], tally: &Tally) {
        self.erase();
        print!("{}", table(endpoints, tally));
    }

    fn draw(&mut self, text: &str) {
        self.drawn = text.lines().count();
        print!("{text}");
        let _ = stdout().flush();
    }

    fn erase(&mut self) {
        if self.drawn > 0 {
            // Up to the first line of the table, and clear from there.
            print!("\x1b[{}A\x1b[J", self.drawn);
            self.drawn = 0;
        }
    }
}

fn table(endpoints: &[EndpointView], tally: &Tally) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:<16} {:<11} {:>7} {:>9} {:>9} {:>9} {:>10}",
        "endpoint", "state", "share", "p50 ms", "p99 ms", "in flight", "failures"
    );
    for endpoint in endpoints {
        let (share, p50, p99) = tally.of(endpoint.id().as_str()).unwrap_or_default();
        let _ = writeln!(
            text,
            "{:<16} {:<11} {:>6.1}% {:>9.1} {:>9.1} {:>9} {:>10}",
            endpoint.id().as_str(),
            format!("{:?}", endpoint.state()),
            share * 100.0,
            p50 as f64 / 1e3,
            p99 as f64 / 1e3,
            endpoint.pending(),
            endpoint.failures(),
        );
    }
    text
}

fn bar(elapsed: Duration, length: Duration) -> String {
    let share = (elapsed.as_secs_f64() / length.as_secs_f64()).min(1.0);
    let full = (share * BAR as f64) as usize;
    format!("[{}{}]", "#".repeat(full), "-".repeat(BAR - full))
}
