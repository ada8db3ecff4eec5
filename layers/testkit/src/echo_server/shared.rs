//! What every task of a server shares: orders in, counts out.

use super::Behaviour;
use crate::{Gauge, lock};
use http::HeaderMap;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

/// What an [`EchoServer`](super::EchoServer) counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections ever accepted.
    pub accepted: usize,
    /// Connections open now.
    pub connections: usize,
    /// Calls that arrived on a socket, those that a layer of the server's rejected included.
    pub arrived: usize,
    /// Calls that reached the echo service.
    pub started: usize,
    /// Calls of the echo service that were answered to the end of their body.
    pub finished: usize,
    /// Calls of the echo service that ended before: the client went, or a behaviour cut them.
    pub dropped: usize,
    /// Calls in the echo service now.
    pub in_flight: usize,
    /// The most calls that were ever in the echo service at once.
    pub highest: usize,
}

#[derive(Debug)]
pub(super) struct Shared {
    name: Arc<str>,
    orders: Mutex<Orders>,
    headers: Mutex<Headers>,
    accepted: AtomicUsize,
    connections: AtomicUsize,
    arrived: AtomicUsize,
    calls: Gauge,
}

#[derive(Debug, Default)]
struct Orders {
    next: VecDeque<(usize, Behaviour)>,
    otherwise: Behaviour,
    latency: Duration,
}

#[derive(Debug, Default)]
struct Headers {
    last: Option<HeaderMap>,
    all: Option<Vec<HeaderMap>>,
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Open(Arc<Shared>);

// === impl Shared ===

impl Shared {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            orders: Mutex::default(),
            headers: Mutex::default(),
            accepted: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            arrived: AtomicUsize::new(0),
            calls: Gauge::default(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn behave(&self, behaviour: Behaviour) {
        let mut orders = lock(&self.orders);
        orders.next.clear();
        orders.otherwise = behaviour;
    }

    pub(super) fn behave_next(&self, calls: usize, behaviour: Behaviour) {
        lock(&self.orders).next.push_back((calls, behaviour));
    }

    pub(super) fn set_latency(&self, latency: Duration) {
        lock(&self.orders).latency = latency;
    }

    pub(super) fn latency(&self) -> Duration {
        lock(&self.orders).latency
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            accepted: self.accepted.load(Relaxed),
            connections: self.connections.load(Relaxed),
            arrived: self.arrived.load(Relaxed),
            started: self.calls.started(),
            finished: self.calls.finished(),
            dropped: self.calls.dropped(),
            in_flight: self.calls.in_flight(),
            highest: self.calls.highest(),
        }
    }

    pub(super) fn last_headers(&self) -> Option<HeaderMap> {
        lock(&self.headers).last.clone()
    }

    pub(super) fn record(&self, on: bool) {
        lock(&self.headers).all = on.then(Vec::new);
    }

    pub(super) fn recorded(&self) -> Vec<HeaderMap> {
        lock(&self.headers).all.clone().unwrap_or_default()
    }

    pub(super) const fn calls(&self) -> &Gauge {
        &self.calls
    }

    /// Notes a call, and takes the behaviour that is due to it.
    pub(super) fn arrive(&self, headers: &HeaderMap) -> Behaviour {
        self.arrived.fetch_add(1, Relaxed);
        self.calls.changed();
        let mut seen = lock(&self.headers);
        seen.last = Some(headers.clone());
        if let Some(all) = &mut seen.all {
            all.push(headers.clone());
        }
        drop(seen);
        lock(&self.orders).take()
    }

    pub(super) fn open(self: &Arc<Self>) -> Open {
        self.accepted.fetch_add(1, Relaxed);
        self.connections.fetch_add(1, Relaxed);
        self.calls.changed();
        Open(Arc::clone(self))
    }
}

// === impl Orders ===

impl Orders {
    fn take(&mut self) -> Behaviour {
        while let Some((left, behaviour)) = self.next.front_mut() {
            if *left > 0 {
                *left -= 1;
                return behaviour.clone();
            }
            self.next.pop_front();
        }
        self.otherwise.clone()
    }
}

// === impl Open ===

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
        self.0.calls.changed();
    }
}
