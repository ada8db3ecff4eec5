//! All that a model was told, and what a window would say of it.

use crate::{bucket::Totals, settings::Span};

pub(super) struct Memory {
    pub(super) span: Span,
    results: Vec<Noted>,
}

#[derive(Clone, Copy, Debug)]
struct Noted {
    slice: u64,
    good: bool,
    slow: bool,
    /// A rejected call is no link in a run of failures.
    sent: bool,
}

// === impl Memory ===

impl Memory {
    pub(super) const fn new(span: Span) -> Self {
        Self {
            span,
            results: Vec::new(),
        }
    }

    pub(super) fn forget(&mut self) {
        self.results.clear();
    }

    /// Failures since the last success; an idle window ends them.
    pub(super) fn run(&self) -> u32 {
        let (mut run, mut last) = (0, 0);
        for noted in self.results.iter().filter(|noted| noted.sent) {
            run = match noted.good {
                true => 0,
                false if noted.slice - last >= 16 => 1,
                false => run + 1,
            };
            last = if noted.good { last } else { noted.slice };
        }
        run
    }

    pub(super) fn totals(&self, now: u64) -> Totals {
        let present = self.slice(now);
        let recent: Vec<_> = match self.span {
            Span::Time(_) => {
                let recent = |noted: &&Noted| noted.slice + 16 > present;
                self.results.iter().filter(recent).collect()
            }
            Span::Calls(calls) => self.results.iter().rev().take(calls as usize).collect(),
        };
        let count = |is: fn(&Noted) -> bool| recent.iter().filter(|noted| is(noted)).count() as u64;
        Totals {
            successes: count(|noted| noted.good),
            failures: count(|noted| !noted.good),
            slow: count(|noted| noted.slow),
        }
    }

    pub(super) fn note(&mut self, now: u64, good: bool, slow: bool, sent: bool) {
        let slice = self.slice(now);
        self.results.push(Noted {
            slice,
            good,
            slow,
            sent,
        });
    }

    fn slice(&self, now: u64) -> u64 {
        match self.span {
            Span::Time(window) => now / (window.as_micros() as u64 / 16 * 1_000),
            // Scripts are shorter than a run of failures lasts there.
            Span::Calls(_) => 0,
        }
    }
}
