//! Which endpoints were handed out, and what is to be done about the others: a machine without
//! futures.

use crate::members::Set;
use futures_util::future::AbortHandle;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use ziggurat_core::{Availability, EndpointId, Instance, Reporter, State};

/// What was wanted, what was handed out, and what lies between.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    entries: BTreeMap<EndpointId, Entry>,
    /// To be connected. May name some that need it no more.
    due: BTreeSet<EndpointId>,
    /// To be taken back.
    leaving: BTreeSet<EndpointId>,
    tickets: u64,
}

/// Says which of the tries to connect an endpoint this is.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) id: EndpointId,
    number: u64,
}

#[derive(Debug)]
struct Entry {
    wanted: Arc<Instance>,
    handed_out: Option<HandedOut>,
    job: Option<Job>,
    failures: u32,
}

#[derive(Debug)]
struct HandedOut {
    instance: Arc<Instance>,
    availability: Availability,
}

/// A try to connect, or the pause before it. Dropped, it is cancelled.
#[derive(Debug)]
struct Job {
    number: u64,
    handle: AbortHandle,
}

// === impl Roster ===

impl Roster {
    /// These are wanted, and no others.
    pub(crate) fn want(&mut self, wanted: &Set) {
        let handed_out = |entry: &Entry| entry.handed_out.is_some();
        let leaving = &mut self.leaving;
        self.entries.retain(|id, entry| {
            let unwanted = !wanted.contains_key(id);
            if unwanted {
                entry.job = None;
                if handed_out(entry) {
                    leaving.insert(id.clone());
                }
            }
            !unwanted || handed_out(entry)
        });
        for (id, instance) in wanted {
            self.leaving.remove(id);
            let entry = self.entries.entry(id.clone()).or_insert_with(|| Entry {
                wanted: Arc::clone(instance),
                handed_out: None,
                job: None,
                failures: 0,
            });
            let known = entry.handed_out.as_ref().map(|told| &told.instance);
            if known == Some(instance) {
                entry.job = None;
            } else if entry.wanted != *instance || entry.job.is_none() {
                // A job for what was wanted before is of no use.
                entry.job = None;
                self.due.insert(id.clone());
            }
            if entry.wanted != *instance {
                entry.wanted = Arc::clone(instance);
                entry.failures = 0;
            }
        }
    }

    /// Is anything to be connected?
    pub(crate) fn is_due(&mut self) -> bool {
        let entries = &self.entries;
        while let Some(id) = self.due.first() {
            if entries.get(id).is_some_and(Entry::is_due) && !self.leaving.contains(id) {
                return true;
            }
            self.due.pop_first();
        }
        false
    }

    /// The next to be connected, which `handle` cancels.
    pub(crate) fn start(&mut self, handle: AbortHandle) -> Option<(Ticket, Arc<Instance>)> {
        if !self.is_due() {
            return None;
        }
        let id = self.due.pop_first()?;
        let ticket = self.ticket(id);
        let entry = self.entries.get_mut(&ticket.id)?;
        entry.job = Some(Job::new(&ticket, handle));
        Some((ticket, Arc::clone(&entry.wanted)))
    }

    /// It is connected, and to be handed out. False: nobody wants it any more.
    pub(crate) fn connected(&mut self, ticket: &Ticket, availability: &Availability) -> bool {
        let Some(entry) = self.current(ticket) else {
            return false;
        };
        entry.job = None;
        entry.failures = 0;
        let told = HandedOut {
            instance: Arc::clone(&entry.wanted),
            availability: availability.clone(),
        };
        if let Some(before) = entry.handed_out.replace(told) {
            before.drain();
        }
        true
    }

    /// It could not be connected so many times in a row. `None`: nobody wants it any more.
    pub(crate) fn failed(&mut self, ticket: &Ticket) -> Option<u32> {
        let entry = self.current(ticket)?;
        entry.failures = entry.failures.saturating_add(1);
        Some(entry.failures)
    }

    /// It will be tried again after a pause, which `handle` cancels.
    pub(crate) fn pause(&mut self, ticket: &Ticket, handle: AbortHandle) {
        if let Some(entry) = self.current(ticket) {
            entry.job = Some(Job::new(ticket, handle));
        }
    }

    /// The pause is over.
    pub(crate) fn resume(&mut self, ticket: &Ticket) {
        if let Some(entry) = self.current(ticket) {
            entry.job = None;
            self.due.insert(ticket.id.clone());
        }
    }

    /// The next to be taken back; it finishes what it has.
    pub(crate) fn take_back(&mut self) -> Option<EndpointId> {
        let id = self.leaving.pop_first()?;
        let entry = self.entries.remove(&id)?;
        if let Some(told) = entry.handed_out {
            told.drain();
        }
        Some(id)
    }

    fn ticket(&mut self, id: EndpointId) -> Ticket {
        self.tickets += 1;
        let number = self.tickets;
        Ticket { id, number }
    }

    fn current(&mut self, ticket: &Ticket) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(&ticket.id)?;
        let current = |job: &Job| job.number == ticket.number;
        entry.job.as_ref().is_some_and(current).then_some(entry)
    }
}

// === impl Entry ===

impl Entry {
    fn is_due(&self) -> bool {
        let known = self.handed_out.as_ref().map(|told| &told.instance);
        self.job.is_none() && known != Some(&self.wanted)
    }
}

// === impl HandedOut ===

impl HandedOut {
    fn drain(self) {
        self.availability
            .report(Reporter::Registry, State::Draining);
    }
}

// === impl Job ===

impl Job {
    const fn new(ticket: &Ticket, handle: AbortHandle) -> Self {
        let number = ticket.number;
        Self { number, handle }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.handle.abort();
    }
}
