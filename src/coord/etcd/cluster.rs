//! The members together: whoever answers, answers.

use super::{
    fault::{Cause, Fault},
    generations::Generations,
    member::{Leader, Member},
    rotation::{Pick, Rotation, Ticket},
    settings::EtcdSettings,
};
use crate::coord::store::StoreError;
use etcd_client::{Client, Error};
use parking_lot::Mutex;
use std::{fmt, sync::Arc, time::Duration};
use tokio::{sync::watch, time};
use ziggurat_core::{
    Deadline,
    clock::{self, Instant},
};

/// All members, and whose turn it is.
pub(super) struct Cluster {
    settings: Arc<EtcdSettings>,
    members: Vec<Member>,
    rotation: Mutex<Rotation>,
    /// Told when somebody who waits for a turn may get one.
    changed: watch::Sender<()>,
    trouble: Mutex<Option<StoreError>>,
    generations: Generations,
}

/// What kind of question it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    leader: Leader,
    /// Whether asking twice does no harm.
    repeatable: bool,
}

/// A question that is being asked; dropped untold, it says nothing about the member.
struct Turn<'a> {
    cluster: &'a Cluster,
    ticket: Option<Ticket>,
}

/// How often a question is asked, at most: of every member, but not so often that it takes for ever.
const TRIES: std::ops::RangeInclusive<usize> = 2..=3;

// === impl Ask ===

impl Ask {
    /// Answered by the cluster, and changes nothing that matters when it is done twice.
    pub(super) const READ: Self = Self {
        leader: Leader::Required,
        repeatable: true,
    };
    /// Answered by any member, with what it knows.
    pub(super) const READ_STALE: Self = Self {
        leader: Leader::NotRequired,
        repeatable: true,
    };
    /// Never asked again if it may have been done.
    pub(super) const CHANGE: Self = Self {
        leader: Leader::Required,
        repeatable: false,
    };
}

// === impl Cluster ===

impl Cluster {
    pub(super) fn new(settings: EtcdSettings) -> Self {
        let settings = Arc::new(settings);
        let endpoints = settings.endpoints.iter();
        let members: Vec<_> = endpoints
            .map(|endpoint| Member::new(endpoint.clone(), Arc::clone(&settings)))
            .collect();
        // Clients that start together must not all begin with the same member.
        let first = settings.dice.below(members.len());
        Self {
            rotation: Mutex::new(Rotation::new(members.len(), first)),
            settings,
            members,
            changed: watch::Sender::new(()),
            trouble: Mutex::new(None),
            generations: Generations::default(),
        }
    }

    pub(super) fn settings(&self) -> &EtcdSettings {
        &self.settings
    }

    pub(super) const fn generations(&self) -> &Generations {
        &self.generations
    }

    /// Asks one member after the other, as far as the question allows it.
    pub(super) async fn ask<T, F, Fut>(&self, ask: Ask, question: F) -> Result<T, Cause>
    where
        F: Fn(Client) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let (_, answer) = self.ask_whom(ask, question).await?;
        Ok(answer)
    }

    /// As [`ask`](Self::ask), and tells who answered.
    pub(super) async fn ask_whom<T, F, Fut>(
        &self,
        ask: Ask,
        question: F,
    ) -> Result<(Ticket, T), Cause>
    where
        F: Fn(Client) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let tries = self.members.len().clamp(*TRIES.start(), *TRIES.end());
        let mut asked = 0;
        loop {
            let (ticket, fault) = match self.ask_once(ask, &question).await? {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            asked += 1;
            let again = fault.unseen || (ask.repeatable && fault.blame);
            if !again || asked == tries {
                let member = self.members[ticket.member].name();
                return Err(fault.at(member).cause);
            }
            tracing::debug!(
                member = self.members[ticket.member].name(),
                ?fault,
                "asking on"
            );
        }
    }

    async fn ask_once<T, F, Fut>(
        &self,
        ask: Ask,
        question: &F,
    ) -> Result<Result<(Ticket, T), (Ticket, Fault)>, Cause>
    where
        F: Fn(Client) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let turn = self.turn(ask.repeatable).await?;
        let Some(ticket) = turn.ticket else {
            return Err(StoreError::unavailable("nobody's turn").into());
        };
        let asked = self.ask_member(ticket.member, ask, question);
        let fault = match asked.await {
            Ok(answer) => {
                turn.answered();
                return Ok(Ok((ticket, answer)));
            }
            Err(fault) => fault,
        };
        if fault.blame {
            turn.failed(&fault);
        } else {
            turn.answered();
        }
        Ok(Err((ticket, fault)))
    }

    /// Asks this member, and once more as somebody who has just signed in, if that is the trouble.
    async fn ask_member<T, F, Fut>(&self, member: usize, ask: Ask, question: &F) -> Result<T, Fault>
    where
        F: Fn(Client) -> Fut,
        Fut: Future<Output = Result<T, Error>>,
    {
        let limit = self.settings.try_timeout;
        let member = &self.members[member];
        let mut signed_in_anew = false;
        loop {
            let ready = async {
                let (client, number) = member.client(ask.leader).await?;
                if !ask.repeatable {
                    member.prove(ask.leader, number, &client).await?;
                }
                Ok((client, number))
            };
            // Until here nothing was asked.
            let ready = in_time(limit, ready).await;
            let (client, number) = ready.map_err(Fault::unseen)?;
            let answer = async { question(client).await.map_err(|error| Fault::new(&error)) };
            let fault = match in_time(limit, answer).await {
                Ok(answer) => {
                    member.proven(ask.leader, number);
                    return Ok(answer);
                }
                Err(fault) => fault,
            };
            if !fault.signed_out || signed_in_anew {
                return Err(fault);
            }
            member.forget(ask.leader, number);
            signed_in_anew = true;
        }
    }

    /// Whoever is asked on this ticket is asked on a new connection, by somebody who signs in.
    pub(super) fn sign_in_anew(&self, ticket: Ticket) {
        self.members[ticket.member].forget_all();
    }

    /// Waits for a turn, no longer than for an answer.
    async fn turn(&self, repeatable: bool) -> Result<Turn<'_>, Cause> {
        let late = Deadline::after_from(self.settings.try_timeout, clock::now()).instant();
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            let now = clock::now();
            let until = match self.rotation.lock().pick(now, repeatable) {
                Pick::Ask(ticket) => {
                    return Ok(Turn {
                        cluster: self,
                        ticket: Some(ticket),
                    });
                }
                Pick::Wait(until) => until.unwrap_or(late).min(late),
            };
            if now >= late {
                return Err(self.trouble().into());
            }
            let _either = time::timeout_at(until, changed.changed()).await;
        }
    }

    /// The member of this ticket broke what it had begun.
    pub(super) fn failed(&self, ticket: Ticket, fault: &Fault) {
        let delay = |failures| self.settings.reconnect.delay(failures, &self.settings.dice);
        let now: Instant = clock::now();
        let ejected = self.rotation.lock().failed(ticket, now, delay);
        if ejected {
            let member = &self.members[ticket.member];
            member.forget_all();
            let member = member.name();
            let fault = fault.clone().at(member);
            tracing::info!(member, cause = ?fault.cause, "etcd member left");
            if let Cause::Store(error) = fault.cause {
                *self.trouble.lock() = Some(error);
            }
            self.changed.send_replace(());
        }
    }

    fn trouble(&self) -> StoreError {
        let unknown = || StoreError::unavailable("no member answers");
        self.trouble.lock().clone().unwrap_or_else(unknown)
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

// === impl Turn ===

impl Turn<'_> {
    fn answered(mut self) {
        if let Some(ticket) = self.ticket.take() {
            let back = self.cluster.rotation.lock().answered(ticket);
            if back {
                self.cluster.changed.send_replace(());
            }
        }
    }

    fn failed(mut self, fault: &Fault) {
        if let Some(ticket) = self.ticket.take() {
            self.cluster.failed(ticket, fault);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.cluster.rotation.lock().abandoned(ticket);
            self.cluster.changed.send_replace(());
        }
    }
}

async fn in_time<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let answer = time::timeout(limit, answer).await;
    answer.unwrap_or_else(|_| Err(Fault::late()))
}
