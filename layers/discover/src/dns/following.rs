//! When to ask DNS again, and what of its answers is news.

use super::Dns;
use crate::feedback::Roll;
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::{sync::futures::OwnedNotified, time::sleep_until};
use ziggurat_core::{
    BoxError, Change, Deadline, Instance,
    clock::{self, Instant},
};

/// One service that is being followed.
pub(super) struct Following {
    dns: Dns,
    service: Arc<str>,
    roll: Option<Arc<Roll>>,
    /// When it was asked last. `None`: it was not.
    asked: Option<Instant>,
    /// When it is to be asked again, if nothing happens before.
    due: Instant,
    failures: u32,
    /// Somebody asked for it since it was asked last.
    refreshed: Pin<Box<OwnedNotified>>,
    /// By id. `None`: nothing was said yet.
    said: Option<Vec<Arc<Instance>>>,
    /// Addresses of targets, for the time that their names cannot be looked up.
    known: super::lookup::Known,
}

// === impl Following ===

impl Following {
    pub(super) fn new(dns: Dns, service: &str) -> Self {
        let roll = dns.feedback.as_ref().map(|all| all.roll(service));
        Self {
            refreshed: refreshed(&dns),
            dns,
            service: service.into(),
            roll,
            asked: None,
            due: clock::now(),
            failures: 0,
            said: None,
            known: super::lookup::Known::default(),
        }
    }

    /// The next that is news: another set, or trouble.
    pub(super) async fn next(&mut self) -> Result<Change, BoxError> {
        loop {
            self.wait().await;
            self.asked = Some(clock::now());
            // Before it is asked: who wants news meanwhile may have heard of what is not in them.
            self.refreshed = refreshed(&self.dns);
            let out = self.roll.iter().flat_map(|roll| roll.out()).collect();
            let lookup = &self.dns.lookup;
            let found = lookup.find(&self.service, &mut self.known, &out).await;
            let (instances, ttl) = match found {
                Ok(found) => found,
                Err(error) => {
                    self.failures = self.failures.saturating_add(1);
                    let delay = self.dns.backoff.delay(self.failures, &self.dns.dice);
                    self.due = after(delay);
                    return Err(error);
                }
            };
            self.failures = 0;
            let ttl = ttl.unwrap_or(Duration::ZERO);
            self.due = after(ttl.clamp(self.dns.least, self.dns.most));
            if self.said.as_ref() != Some(&instances) {
                self.said = Some(instances.clone());
                return Ok(Change::All(instances));
            }
        }
    }

    /// Until it may, and has to, be asked.
    async fn wait(&mut self) {
        let Some(asked) = self.asked else {
            return;
        };
        let (due, failures) = (self.due, self.failures);
        let least = Deadline::after_from(self.dns.least, asked).instant();
        let wanted = async {
            self.is_wanted().await;
            // What fails is not hurried.
            if failures > 0 {
                std::future::pending::<()>().await;
            }
            sleep_until(least).await;
        };
        tokio::select! {
            () = sleep_until(due) => {}
            () = wanted => {}
        }
    }

    /// Until somebody asks for it, or no endpoint can be called.
    async fn is_wanted(&mut self) {
        let roll = &self.roll;
        let all_out = async {
            let Some(roll) = roll else {
                return std::future::pending().await;
            };
            loop {
                // Made before the look: it hears of every change after it.
                let changed = roll.changed.notified();
                if roll.is_all_out() {
                    return;
                }
                changed.await;
            }
        };
        tokio::select! {
            () = &mut self.refreshed => {}
            () = all_out => {}
        }
    }
}

fn refreshed(dns: &Dns) -> Pin<Box<OwnedNotified>> {
    Box::pin(Arc::clone(&dns.refresh).notified_owned())
}

/// However long it is: what no clock can tell is far enough.
fn after(time: Duration) -> Instant {
    Deadline::after_from(time, clock::now()).instant()
}
