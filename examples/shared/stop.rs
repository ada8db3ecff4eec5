//! Being told to stop, by ctrl-c or SIGTERM.

use std::io;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Hears it when somebody tells the program to stop, which from then on no signal does by itself.
pub(crate) struct Stop {
    #[cfg(unix)]
    signals: [Signal; 2],
}

// === impl Stop ===

impl Stop {
    #[cfg(unix)]
    pub(crate) fn new() -> io::Result<Self> {
        let signals = [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        ];
        Ok(Self { signals })
    }

    #[cfg(not(unix))]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits until it is told, once more each time.
    #[cfg(unix)]
    pub(crate) async fn told(&mut self) {
        let [interrupt, terminate] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    pub(crate) async fn told(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
