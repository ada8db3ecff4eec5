//! The connection that an endpoint has, and those that it has besides while calls wait for streams.

use crate::{
    lane::Slot,
    link::Link,
    slots::{NoSlot, Slots},
};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// The connections that an endpoint has at a time. It ends with its first one.
pub(crate) struct Group {
    pub(crate) slots: Arc<Slots>,
    pub(crate) first: Arc<Link>,
    /// Used when the first has no room: so they fall idle when there is less to do.
    more: RwLock<Vec<Arc<Link>>>,
}

/// A stream of one of the connections.
pub(crate) struct Seat {
    pub(crate) link: Arc<Link>,
    pub(crate) slot: Slot,
}

// === impl Group ===

impl Group {
    pub(crate) fn new(slots: Arc<Slots>, first: Link) -> Self {
        first.lane.bring();
        Self {
            slots,
            first: Arc::new(first),
            more: RwLock::new(Vec::new()),
        }
    }

    /// Takes a stream, after all who asked before.
    pub(crate) async fn seat(&self) -> Result<Seat, NoSlot> {
        loop {
            self.slots.permit().await?;
            if let Some(seat) = self.find() {
                return Ok(seat);
            }
            // The connection that it was for went meanwhile.
            self.slots.give(1);
            if self.slots.is_closed() {
                return Err(NoSlot::Closed);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Takes a stream, if one is free and nobody waits for it.
    pub(crate) fn seat_at_once(&self) -> Option<Seat> {
        self.slots.permit_at_once().ok()?;
        let seat = self.find();
        if seat.is_none() {
            self.slots.give(1);
        }
        seat
    }

    pub(crate) fn add(&self, link: Arc<Link>) {
        let mut more = self.more.write().unwrap_or_else(PoisonError::into_inner);
        // Whom its slots wake finds it: who found none would have to wait again, behind all others.
        link.lane.bring();
        more.push(link);
    }

    /// Takes no call to this connection any more.
    pub(crate) fn remove(&self, link: &Link) {
        link.lane.retire();
        let mut more = self.more.write().unwrap_or_else(PoisonError::into_inner);
        more.retain(|other| other.number != link.number);
    }

    /// Takes no call any more, nowhere.
    pub(crate) fn close(&self) {
        self.first.lane.retire();
        for link in &*self.more() {
            link.lane.retire();
        }
        self.slots.close();
    }

    /// Takes no call any more, unless there are any.
    pub(crate) fn close_if_unused(&self) -> bool {
        let closed = self.more().is_empty() && self.first.lane.close_if_unused();
        if closed {
            self.slots.close();
        }
        closed
    }

    /// Was there no call since this was last asked?
    pub(crate) fn was_quiet(&self) -> bool {
        self.first.lane.was_quiet() && self.more().is_empty()
    }

    fn find(&self) -> Option<Seat> {
        let enter = |link: &Arc<Link>| {
            let slot = link.lane.enter()?;
            let link = Arc::clone(link);
            Some(Seat { link, slot })
        };
        enter(&self.first).or_else(|| self.more().iter().find_map(enter))
    }

    fn more(&self) -> RwLockReadGuard<'_, Vec<Arc<Link>>> {
        self.more.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        driver::{Driver, handshake},
        settings::Settings,
    };
    use bytes::Bytes;
    use tokio_test::{assert_ready, task};

    type Server = h2::server::Connection<tokio::io::DuplexStream, Bytes>;

    /// A connection of one stream.
    async fn link(number: u64, slots: &Arc<Slots>) -> (Link, Driver, Server) {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let settings = Settings::new();
        let made = handshake(Box::new(ours), number, &settings, None, slots);
        let mut server = h2::server::Builder::new();
        server.max_concurrent_streams(1);
        let (made, server) = tokio::join!(made, server.handshake(theirs));
        let (link, driver) = made.unwrap();
        (link, driver, server.unwrap())
    }

    #[tokio::test]
    async fn who_waits_keeps_the_place_while_a_connection_is_added() {
        let slots = Slots::new(8);
        let (first, _driver, _server) = link(1, &slots).await;
        let group = Group::new(Arc::clone(&slots), first);
        let _held = group.seat_at_once().unwrap();
        let mut one = task::spawn(group.seat());
        let mut other = task::spawn(group.seat());
        assert!(one.poll().is_pending());
        assert!(other.poll().is_pending());
        let (second, _second_driver, _second_server) = link(2, &slots).await;
        // As another thread could, in this moment.
        for _ in 0..3 {
            assert!(one.poll().is_pending());
        }
        group.add(Arc::new(second));
        let seat = assert_ready!(one.poll());
        assert!(seat.is_ok() && other.poll().is_pending());
    }
}
