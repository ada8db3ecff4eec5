//! Follows what one endpoint says of itself, for as long as it lives.

use super::{
    Settings,
    ask::{Ask, End},
    layer::Questions,
};
use crate::Observer;
use bytes::{Buf, Bytes};
use http::{Request, Response};
use std::{fmt, sync::Arc, time::Duration};
use tokio::sync::Notify;
use tower_service::Service;
use ziggurat_core::{Availability, BoxError, Dice, EndpointId, Reporter, State, clock, contain};

/// Who is asked, and who is told.
pub(super) struct Watcher {
    pub(super) service: Arc<str>,
    pub(super) availability: Availability,
    pub(super) id: EndpointId,
    pub(super) questions: Questions,
    pub(super) dice: Dice,
    pub(super) observer: Option<Arc<dyn Observer>>,
}

/// How often to look whether something else is to be asked.
const LOOK: Duration = Duration::from_secs(5);
/// A stream that lived for so long was none that breaks at once.
const PROVEN: Duration = Duration::from_secs(1);

// === impl Watcher ===

impl Watcher {
    /// Nothing is known yet.
    pub(super) fn begin(&self, settings: Option<&Settings>) {
        // Nobody but a call wakes one that is idle.
        let idle = self.connection() == State::Idle;
        let state = if idle || settings.is_none() {
            State::Ready
        } else {
            State::Connecting
        };
        self.availability.report(Reporter::Check, state);
    }

    /// Asks and listens until the endpoint is being drained.
    pub(super) async fn run<E, F, B, A>(self, ask: Ask<E, F>)
    where
        E: Service<Request<B>, Response = Response<A>> + Clone,
        E::Error: Into<BoxError>,
        F: Fn(Bytes) -> B,
        A: http_body::Body,
        A::Data: Buf,
        A::Error: Into<BoxError>,
    {
        let draining =
            self.until(|| self.availability.reported(Reporter::Registry) == State::Draining);
        let asking = async {
            let (mut settings, mut is_new) = (self.questions.now(), true);
            loop {
                let state = self.connection();
                if is_new {
                    self.begin(settings.as_ref());
                }
                let turned = self.until(|| self.connection() != state);
                let asked = settings.as_ref().filter(|_| state == State::Ready);
                is_new = tokio::select! {
                    () = turned => true,
                    () = self.until_others_than(&settings) => false,
                    () = self.ask(&ask, asked) => false,
                };
                if !is_new {
                    // What it has said stands, unless nobody asks any more.
                    settings = self.questions.now();
                    is_new = settings.is_none();
                }
            }
        };
        tokio::select! {
            biased;
            () = draining => {}
            () = asking => {}
        }
    }

    /// For as long as it stays connected.
    async fn ask<E, F, B, A>(&self, ask: &Ask<E, F>, settings: Option<&Settings>)
    where
        E: Service<Request<B>, Response = Response<A>> + Clone,
        E::Error: Into<BoxError>,
        F: Fn(Bytes) -> B,
        A: http_body::Body,
        A::Data: Buf,
        A::Error: Into<BoxError>,
    {
        let Some(settings) = settings else {
            return std::future::pending().await;
        };
        let mut failures = 0;
        loop {
            let since = clock::now();
            let mut heard = false;
            let end = match ask.watch(settings).await {
                Ok((serving, mut answers)) => {
                    heard = true;
                    self.tell(serving);
                    loop {
                        match answers.next().await {
                            Ok(serving) => self.tell(serving),
                            Err(end) => break end,
                        }
                    }
                }
                Err(end) => end,
            };
            let error = match end {
                End::Unimplemented => return self.check(ask, settings).await,
                End::NotFound => {
                    // What gRPC's own servers say by SERVICE_UNKNOWN, and then go on.
                    self.tell(false);
                    tokio::time::sleep(settings.interval).await;
                    continue;
                }
                End::Broken(error) => error,
            };
            let proven = heard && clock::now().saturating_duration_since(since) >= PROVEN;
            failures = if heard { 0 } else { failures };
            if !heard {
                self.failed(&*error);
            }
            if !proven {
                self.pause(settings, &mut failures).await;
            }
        }
    }

    /// Where there is no `Watch`.
    async fn check<E, F, B, A>(&self, ask: &Ask<E, F>, settings: &Settings)
    where
        E: Service<Request<B>, Response = Response<A>> + Clone,
        E::Error: Into<BoxError>,
        F: Fn(Bytes) -> B,
        A: http_body::Body,
        A::Data: Buf,
        A::Error: Into<BoxError>,
    {
        let mut failures = 0;
        loop {
            match ask.check(settings).await {
                Ok(serving) => {
                    failures = 0;
                    self.tell(serving);
                    tokio::time::sleep(settings.interval).await;
                }
                Err(End::Broken(error)) => {
                    self.failed(&*error);
                    self.pause(settings, &mut failures).await;
                }
                Err(_) => {
                    // It cannot tell, so it is taken to be well until it is connected anew.
                    self.tell(true);
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// Waits until something else is to be asked.
    async fn until_others_than(&self, settings: &Option<Settings>) {
        while self.questions.are(settings) {
            match self.questions {
                Questions::Fixed(_) => std::future::pending().await,
                Questions::Live(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }

    async fn pause(&self, settings: &Settings, failures: &mut u32) {
        *failures = failures.saturating_add(1);
        let delay = settings.backoff.delay(*failures, &self.dice);
        tokio::time::sleep(delay).await;
    }

    fn failed(&self, error: &(dyn std::error::Error + Send + Sync + 'static)) {
        let (service, endpoint) = (&*self.service, &self.id);
        tracing::warn!(service, %endpoint, %error, "health check failed");
        self.tell(false);
    }

    fn tell(&self, serving: bool) {
        let state = if serving { State::Ready } else { State::Down };
        if self.availability.reported(Reporter::Check) == state {
            return;
        }
        self.availability.report(Reporter::Check, state);
        let (service, endpoint) = (&*self.service, &self.id);
        tracing::info!(service, %endpoint, serving, "endpoint was asked how it does");
        if let Some(observer) = &self.observer {
            contain(|| observer.checked(service, endpoint, serving));
        }
    }

    fn connection(&self) -> State {
        self.availability.reported(Reporter::Connection)
    }

    /// Waits until `so` holds of the availability.
    async fn until(&self, so: impl Fn() -> bool) {
        let changed = Arc::new(Notify::new());
        self.availability.listen(&changed);
        loop {
            // Made before the look: it hears of every change after it.
            let heard = changed.notified();
            if so() {
                return;
            }
            heard.await;
        }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher")
            .field("service", &self.service)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
