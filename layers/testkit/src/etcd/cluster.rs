//! Several etcd servers that are one.

use super::{Etcd, free_address};

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

    /// The number of the member that leads.
    ///
    /// # Panics
    /// When none does.
    #[must_use]
    pub fn leader(&self) -> usize {
        let leads = |member: &Etcd| {
            let status = member.gateway("maintenance/status", "{}");
            let field = |name| status.split(name).nth(1)?.split('"').next();
            field("\"member_id\":\"") == field("\"leader\":\"")
        };
        let found = self.members.iter().position(leads);
        found.expect("a healthy cluster has a leader")
    }
}
