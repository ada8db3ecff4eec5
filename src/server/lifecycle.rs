//! What a server is doing, how much of it, and the order in which it stops.

mod count;
mod drained;
mod phase;
mod shutdown;

pub(super) use self::count::Counted;
pub use self::{
    drained::{CutOff, Drained},
    phase::{Phase, Settings},
};

use self::{count::Count, shutdown::Goodbyes};
use http::StatusCode;
use std::{fmt, future::IntoFuture, sync::Arc};
use tokio::sync::{OnceCell, watch};
use ziggurat_core::BoxError;

/// The life of a server, in the hands of whoever ends it. Clones are the same life.
///
/// | phase | its servers | [`is_draining`](Self::is_draining) |
/// |---|---|---|
/// | [`Serving`](Phase::Serving) | serve | no |
/// | [`Leaving`](Phase::Leaving) | still serve whoever comes, while goodbyes are said and heard | yes: health says NOT_SERVING, `/readyz` 503 |
/// | [`Closing`](Phase::Closing) | take no connections, send GOAWAY, end their calls | yes |
/// | [`Stopped`](Phase::Stopped) | have ended, or are dropped | yes |
///
/// Nothing here has a task, or needs a runtime before [`shutdown`](Self::shutdown).
#[derive(Clone)]
pub struct Lifecycle(Arc<Inner>);

struct Inner {
    settings: Settings,
    phase: watch::Sender<Phase>,
    calls: Count,
    servers: Count,
    goodbyes: Goodbyes,
    drained: OnceCell<Drained>,
}

// === impl Lifecycle ===

impl Lifecycle {
    /// A server that serves from now on, and that will have so long for each step of its end.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Inner {
            settings,
            phase: watch::Sender::new(Phase::Serving),
            calls: Count::new(),
            servers: Count::new(),
            goodbyes: Goodbyes::default(),
            drained: OnceCell::new(),
        }))
    }

    /// Does this first of all when it leaves: deregister, tell a health reporter. All that is given here is
    /// done at once, in tasks, for as long as the [settings](Settings::goodbyes) say.
    ///
    /// `lifecycle.on_leave(registration.deregister())`: nothing happens before it is polled. What is
    /// given while it leaves is done at once, until the grace is over; after that it is dropped.
    pub fn on_leave<F, E>(&self, goodbye: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let goodbye = Box::pin(async { goodbye.await.map_err(Into::into) });
        self.0.goodbyes.add(goodbye);
    }

    /// Runs a server to its end, for which a shutdown waits. It is dropped when there is no more time
    /// for it; its connections, which are tasks of its own, then end with the runtime.
    ///
    /// # Errors
    ///
    /// [`CutOff`], if it was dropped.
    pub fn run<F: IntoFuture>(
        &self,
        server: F,
    ) -> impl Future<Output = Result<F::Output, CutOff>> + use<F> {
        let running = self.0.servers.begin();
        let stopped = self.reached(Phase::Stopped);
        let server = server.into_future();
        async move {
            let _running = running;
            tokio::select! {
                // What has ended in time was not cut off.
                biased;
                ended = server => Ok(ended),
                () = stopped => Err(CutOff),
            }
        }
    }

    /// Ends it in order: goodbyes, a grace to hear them, no more connections, the last calls.
    ///
    /// Whoever asks while or after it stops waits for the same end. Dropped half way, it stays where it
    /// is, and goes on when somebody asks again; goodbyes that were being said are dropped.
    pub async fn shutdown(&self) -> Drained {
        let drained = self.0.drained.get_or_init(|| shutdown::run(&self.0));
        drained.await.clone()
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.0.phase.borrow()
    }

    /// Whether it no longer wants new calls, though it may still serve them.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.phase() > Phase::Serving
    }

    /// How many calls have begun and are not answered to their last byte.
    ///
    /// A connection that was upgraded (WebSocket) is counted until the answer that upgrades it has left:
    /// whoever serves it then waits for [`closing`](Self::closing), too, and ends it.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.calls.get()
    }

    /// What `/readyz` answers: 200, or 503 from when it leaves.
    #[must_use]
    pub fn readiness(&self) -> StatusCode {
        if self.is_draining() {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::OK
        }
    }

    /// Waits until it leaves: for whoever has to say so in other places.
    pub fn leaving(&self) -> impl Future<Output = ()> + Send + use<> {
        self.reached(Phase::Leaving)
    }

    /// Waits until it takes no more connections: the signal for tonic's `serve_with_shutdown`, for axum's
    /// `with_graceful_shutdown`, and for streams that would never end by themselves.
    pub fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        self.reached(Phase::Closing)
    }

    pub(super) fn begin(&self) -> Counted {
        self.0.calls.begin()
    }

    fn reached(&self, phase: Phase) -> impl Future<Output = ()> + Send + use<> {
        let mut phases = self.0.phase.subscribe();
        async move {
            let reached = phases.wait_for(|present| *present >= phase).await.is_ok();
            if !reached {
                // Nobody is left who could end it.
                std::future::pending().await
            }
        }
    }
}

/// With the default [`Settings`].
impl Default for Lifecycle {
    fn default() -> Self {
        Self::new(Settings::new())
    }
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycle")
            .field("settings", &self.0.settings)
            .field("phase", &self.phase())
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
