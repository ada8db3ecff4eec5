//! Several etcd servers that are one.

use super::{Etcd, PAUSE, START, free_address};
use crate::Proxy;
use tokio::time::{Instant, sleep};

/// A cluster of etcd servers, each of which may be killed or frozen.
#[derive(Debug)]
pub struct EtcdCluster {
    /// The members, in no order that means anything.
    pub members: Vec<Etcd>,
}

// === impl EtcdCluster ===

impl EtcdCluster {
    /// Starts so many members, and waits until each of them answers.
    ///
    /// # Panics
    /// As [`Etcd::start`].
    pub async fn start(members: usize) -> Self {
        let peers: Vec<_> = (0..members).map(|_| free_address()).collect();
        let named = peers.iter().enumerate();
        let named: Vec<_> = named
            .map(|(at, peer)| format!("m{at}=http://{peer}"))
            .collect();
        let named = named.join(",");
        let prepared = peers.into_iter().enumerate();
        let mut members: Vec<_> = prepared
            .map(|(at, peer)| Etcd::prepare(&format!("m{at}"), free_address(), peer, &named))
            .collect();
        // None of them is healthy before most of them run.
        members.iter_mut().for_each(Etcd::spawn);
        for member in &mut members {
            member.healthy().await;
        }
        Self { members }
    }

    /// Where the members answer to clients.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.members.iter().map(Etcd::url).collect()
    }

    /// A way to each member, in their order, which can be lost.
    ///
    /// # Panics
    /// As [`Proxy::start`].
    pub async fn proxies(&self) -> Vec<Proxy> {
        let mut proxies = Vec::with_capacity(self.members.len());
        for member in &self.members {
            proxies.push(Proxy::start(member.address()).await);
        }
        proxies
    }

    /// The number of the member that leads, as soon as one does.
    ///
    /// # Panics
    /// When none does.
    pub async fn leader(&self) -> usize {
        let deadline = Instant::now() + START;
        loop {
            for (at, member) in self.members.iter().enumerate() {
                if member.leads().await {
                    return at;
                }
            }
            assert!(Instant::now() < deadline, "no member leads");
            sleep(PAUSE).await;
        }
    }

    /// Ends the member that leads, as a power cut would, and answers its number.
    ///
    /// # Panics
    /// As [`leader`](Self::leader), and when it cannot be ended.
    pub async fn kill_leader(&mut self) -> usize {
        let leader = self.leader().await;
        self.members[leader].kill();
        leader
    }

    /// Freezes the member that leads, and answers its number.
    ///
    /// # Panics
    /// As [`leader`](Self::leader).
    pub async fn freeze_leader(&self) -> usize {
        let leader = self.leader().await;
        self.members[leader].freeze();
        leader
    }

    /// Ends all members at once.
    ///
    /// # Panics
    /// When one cannot be ended.
    pub fn kill_all(&mut self) {
        self.members.iter_mut().for_each(Etcd::kill);
    }

    /// Starts those again that were killed, with what they had stored, and waits until every member
    /// answers.
    ///
    /// # Panics
    /// When one does not.
    pub async fn restart_all(&mut self) {
        let killed = self
            .members
            .iter_mut()
            .filter(|it| !it.process.is_running());
        killed.for_each(Etcd::spawn);
        for member in &mut self.members {
            member.healthy().await;
        }
    }
}
