//! Which endpoints were handed out, and what is to be done about the others: a machine without
//! futures.

use crate::{discovered::Discovered, members::Set};
use futures_util::future::AbortHandle;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use ziggurat_core::{Availability, Endpoint, EndpointId, Instance, Reporter, State};

/// What was wanted, what was handed out, and what lies between.
#[derive(Debug)]
pub(crate) struct Roster<E> {
    entries: BTreeMap<EndpointId, Entry<E>>,
    /// To be connected. May name some that need it no more.
    due: BTreeSet<EndpointId>,
    /// To be handed out again, for their weight has changed. May name some, as above.
    reweighed: BTreeSet<EndpointId>,
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
struct Entry<E> {
    wanted: Arc<Instance>,
    handed_out: Option<HandedOut<E>>,
    job: Option<Job>,
    failures: u32,
}

#[derive(Debug)]
struct HandedOut<E> {
    /// As it was then.
    instance: Arc<Instance>,
    endpoint: E,
}

/// A try to connect, what has to be waited for after it, or the pause before the next. Dropped, it
/// is cancelled.
#[derive(Debug)]
struct Job {
    number: u64,
    handle: AbortHandle,
}

// === impl Roster ===

impl<E> Default for Roster<E> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            due: BTreeSet::new(),
            reweighed: BTreeSet::new(),
            leaving: BTreeSet::new(),
            tickets: 0,
        }
    }
}

impl<E: Endpoint> Roster<E> {
    /// These are wanted, and no others.
    pub(crate) fn want(&mut self, wanted: &Set) {
        let handed_out = |entry: &Entry<E>| entry.handed_out.is_some();
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
            if !is_same_place(&entry.wanted, instance) {
                // A job for where it was before is of no use.
                entry.job = None;
                entry.failures = 0;
            }
            entry.wanted = Arc::clone(instance);
            if entry.is_settled() {
                entry.job = None;
                self.reweighed.insert(id.clone());
            } else if entry.job.is_none() {
                self.due.insert(id.clone());
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

    /// Whose place it takes, if it takes anybody's.
    pub(crate) fn predecessor(&mut self, ticket: &Ticket) -> Option<Availability> {
        let told = self.current(ticket)?.handed_out.as_ref()?;
        Some(told.endpoint.availability().clone())
    }

    /// It is handed out, and its predecessor finishes what it has. `None`: nobody wants it any more.
    pub(crate) fn hand_out(&mut self, ticket: &Ticket, endpoint: E) -> Option<Discovered<E>> {
        let entry = self.current(ticket)?;
        entry.job = None;
        entry.failures = 0;
        let told = HandedOut {
            instance: Arc::clone(&entry.wanted),
            endpoint,
        };
        let discovered = told.discovered();
        if let Some(before) = entry.handed_out.replace(told) {
            before.drain();
        }
        Some(discovered)
    }

    /// The next whose weight has changed, to be handed out again.
    pub(crate) fn hand_out_again(&mut self) -> Option<(EndpointId, Discovered<E>)> {
        while let Some(id) = self.reweighed.pop_first() {
            if let Some(entry) = self.entries.get_mut(&id)
                && !self.leaving.contains(&id)
                && let Some(discovered) = entry.reweigh()
            {
                return Some((id, discovered));
            }
        }
        None
    }

    /// It could not be connected so many times in a row. `None`: nobody wants it any more.
    pub(crate) fn failed(&mut self, ticket: &Ticket) -> Option<u32> {
        let entry = self.current(ticket)?;
        entry.failures = entry.failures.saturating_add(1);
        Some(entry.failures)
    }

    /// It goes on with something that `handle` cancels.
    pub(crate) fn go_on(&mut self, ticket: &Ticket, handle: AbortHandle) {
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

    fn current(&mut self, ticket: &Ticket) -> Option<&mut Entry<E>> {
        let entry = self.entries.get_mut(&ticket.id)?;
        let current = |job: &Job| job.number == ticket.number;
        entry.job.as_ref().is_some_and(current).then_some(entry)
    }
}

// === impl Entry ===

impl<E: Endpoint> Entry<E> {
    /// Is what was handed out where it is wanted?
    fn is_settled(&self) -> bool {
        let told = self.handed_out.as_ref();
        told.is_some_and(|told| is_same_place(&told.instance, &self.wanted))
    }

    fn is_due(&self) -> bool {
        self.job.is_none() && !self.is_settled()
    }

    fn reweigh(&mut self) -> Option<Discovered<E>> {
        if !self.is_settled() {
            return None;
        }
        let told = self.handed_out.as_mut()?;
        let before = std::mem::replace(&mut told.instance, Arc::clone(&self.wanted));
        (before.weight() != self.wanted.weight()).then(|| told.discovered())
    }
}

// === impl HandedOut ===

impl<E: Endpoint> HandedOut<E> {
    fn discovered(&self) -> Discovered<E> {
        Discovered::new(self.endpoint.clone(), self.instance.weight())
    }

    fn drain(self) {
        let availability = self.endpoint.availability();
        availability.report(Reporter::Registry, State::Draining);
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

/// A connection to one is a connection to the other.
fn is_same_place(one: &Instance, other: &Instance) -> bool {
    (one.address(), one.port()) == (other.address(), other.port())
}
