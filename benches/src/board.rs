//! What is measured: sections of subjects.

use crate::{
    Sample,
    worker::{Answer, Call, CloneCall, Worker},
};
use std::{
    fmt::{self, Debug},
    marker::PhantomData,
};
use tower_service::Service;

/// All that is to be measured, in the order in which it is shown.
#[derive(Debug, Default)]
pub struct Board {
    pub(crate) entries: Vec<Entry>,
}

/// A layer in one state, to which subjects are added.
///
/// Subjects take turns in the order in which they are added. The first should be the bare service,
/// which is taken off to show what a layer costs net: it is `floor`, or it is `bare` and the next is
/// `floor`, the least that such a layer can do, written by hand.
#[derive(Debug)]
pub struct Section<'a, Req> {
    entry: &'a mut Entry,
    request: PhantomData<fn() -> Req>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) layer: &'static str,
    pub(crate) state: &'static str,
    pub(crate) subjects: Vec<Subject>,
}

pub(crate) struct Subject {
    pub(crate) name: &'static str,
    build: Build,
}

/// How a service is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Call,
    CloneCall,
}

enum Build {
    Shared(Box<dyn Fn(Case, usize) -> Vec<Box<dyn Worker>>>),
    Alone(Box<dyn Fn() -> Box<dyn Worker>>),
}

// === impl Board ===

impl Board {
    /// Adds a section for `layer` in a `state` that is part of its cases' names: `"open"` makes
    /// `open: call` and `open: clone+call`, the empty state makes `call` and `clone+call`.
    pub fn section<Req: Sample>(
        &mut self,
        layer: &'static str,
        state: &'static str,
    ) -> Section<'_, Req> {
        let nth = self.entries.len();
        self.entries.push(Entry {
            layer,
            state,
            subjects: Vec::new(),
        });
        Section {
            entry: &mut self.entries[nth],
            request: PhantomData,
        }
    }
}

// === impl Section ===

impl<Req: Sample> Section<'_, Req> {
    /// Adds a service whose calls must all be answered. Its clones share what its layer shares.
    ///
    /// `make` runs within the runtime, before any measurement.
    pub fn service<S>(&mut self, name: &'static str, make: impl Fn() -> S + 'static) -> &mut Self
    where
        S: Service<Req, Future: Send, Error: Debug> + Clone + Send + 'static,
    {
        self.shared(name, Answer::Ok, make)
    }

    /// Adds a service whose calls must all be rejected.
    pub fn rejecting<S>(&mut self, name: &'static str, make: impl Fn() -> S + 'static) -> &mut Self
    where
        S: Service<Req, Future: Send, Error: Debug> + Clone + Send + 'static,
    {
        self.shared(name, Answer::Err, make)
    }

    /// Adds a service that cannot be cloned: it has a row for `call` on one thread, and no other.
    pub fn alone<S>(&mut self, name: &'static str, make: impl Fn() -> S + 'static) -> &mut Self
    where
        S: Service<Req, Future: Send, Error: Debug> + Send + 'static,
    {
        let make = move || -> Box<dyn Worker> { Box::new(Call::new(make(), Answer::Ok)) };
        self.push(name, Build::Alone(Box::new(make)))
    }

    fn shared<S>(
        &mut self,
        name: &'static str,
        answer: Answer,
        make: impl Fn() -> S + 'static,
    ) -> &mut Self
    where
        S: Service<Req, Future: Send, Error: Debug> + Clone + Send + 'static,
    {
        let build = move |case, threads| {
            let service = make();
            let worker = |_| -> Box<dyn Worker> {
                let call = Call::new(service.clone(), answer);
                match case {
                    Case::Call => Box::new(call),
                    Case::CloneCall => Box::new(CloneCall(call)),
                }
            };
            (0..threads).map(worker).collect()
        };
        self.push(name, Build::Shared(Box::new(build)))
    }

    fn push(&mut self, name: &'static str, build: Build) -> &mut Self {
        self.entry.subjects.push(Subject { name, build });
        self
    }
}

// === impl Entry ===

impl Entry {
    pub(crate) fn case(&self, case: Case) -> String {
        let case = match case {
            Case::Call => "call",
            Case::CloneCall => "clone+call",
        };
        if self.state.is_empty() {
            case.to_owned()
        } else {
            format!("{}: {case}", self.state)
        }
    }
}

// === impl Subject ===

impl Subject {
    /// One worker a thread, all on clones of one service; none if there is no such row.
    pub(crate) fn workers(&self, case: Case, threads: usize) -> Option<Vec<Box<dyn Worker>>> {
        match &self.build {
            Build::Shared(build) => Some(build(case, threads)),
            Build::Alone(build) => (case == Case::Call && threads == 1).then(|| vec![build()]),
        }
    }
}

impl Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
