//! What happens to a server: an ordinary moment, and then three times what it can do.

use super::{
    cli::Problem,
    load::Load,
    report::Report,
    server::{Kind, Server},
    workers::Workers,
};
use std::time::Duration;

/// What a server can do, and what is asked of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// What it can do, in calls a second.
    pub(crate) capacity: u32,
    /// How long it is offered three times that.
    pub(crate) surge: Duration,
    /// The share of the calls that is critical; the others may be shed.
    pub(crate) critical: f64,
    /// The same calls at the same times, whenever it is run.
    pub(crate) seed: u64,
}

const WORKERS: u32 = 8;
/// How often what it can do is offered, and what before that for how long.
const TIMES: f64 = 3.0;
const BEFORE: f64 = 0.5;
const ORDINARY: Duration = Duration::from_secs(1);

// === impl Plan ===

impl Default for Plan {
    fn default() -> Self {
        Self {
            capacity: 300,
            surge: Duration::from_secs(5),
            critical: 0.15,
            seed: 1,
        }
    }
}

impl Plan {
    /// How long a worker takes for a call.
    pub(crate) fn takes(&self) -> Duration {
        Duration::from_secs(WORKERS.into()) / self.capacity
    }

    /// How long a caller is ready to wait.
    pub(crate) fn patience(&self) -> Duration {
        self.takes() * 10
    }

    /// What all this is, in a line.
    pub(crate) fn line(&self) -> String {
        format!(
            "C = {} calls/s: {WORKERS} workers, {:.1} ms a call. Offered {TIMES} C for {} s, {:.0} % of it \
             critical; callers wait {:.0} ms.",
            self.capacity,
            self.takes().as_secs_f64() * 1e3,
            self.surge.as_secs(),
            self.critical * 100.0,
            self.patience().as_secs_f64() * 1e3,
        )
    }

    /// Plays it with a server of this kind.
    pub(crate) async fn play(&self, kind: Kind) -> Result<Report, Problem> {
        let server = Server::start(kind, Workers::new(WORKERS, self.takes()))?;
        let load = Load::connect(server.address(), *self).await?;
        let capacity = f64::from(self.capacity);
        load.offer(BEFORE * capacity, ORDINARY).await?;
        let tally = load.offer(TIMES * capacity, self.surge).await?;
        server.stop()?;
        Ok(Report::new(self, tally.counts()))
    }
}

/// Does the stack do what it is there for, and does the server need it? With room for a busy machine.
pub(crate) fn holds(bare: &Report, stack: &Report) -> bool {
    stack.goodput_ratio() >= 0.8 && stack.critical_served() >= 0.97 && bare.goodput_ratio() < 0.5
}
