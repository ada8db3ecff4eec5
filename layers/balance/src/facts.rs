//! What every part of one balancer knows.

use crate::{LoadReports, Observer, Settings, settings::Weighing};
use std::{
    error::Error,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};
use ziggurat_core::{
    BoxError, Live,
    clock::{self, Instant},
    contain,
};

pub(crate) struct Facts {
    service: Box<str>,
    settings: Live<Settings>,
    observer: Option<Arc<dyn Observer>>,
    /// What the policy makes of load reports; `None`: nothing.
    reports: Option<LoadReports>,
    /// Set at first use: nobody reads a clock before there is a call.
    origin: OnceLock<Instant>,
    trouble: AtomicU64,
}

// === impl Facts ===

impl Facts {
    pub(crate) const fn new(
        service: Box<str>,
        settings: Live<Settings>,
        observer: Option<Arc<dyn Observer>>,
    ) -> Self {
        Self {
            service,
            settings,
            observer,
            reports: None,
            origin: OnceLock::new(),
            trouble: AtomicU64::new(0),
        }
    }

    pub(crate) const fn reading(mut self, reports: Option<LoadReports>) -> Self {
        self.reports = reports;
        self
    }

    #[inline]
    pub(crate) const fn reports(&self) -> Option<&LoadReports> {
        self.reports.as_ref()
    }

    pub(crate) const fn service(&self) -> &str {
        &self.service
    }

    pub(crate) fn settings(&self) -> Settings {
        self.settings.get()
    }

    #[inline]
    pub(crate) fn weighing(&self) -> Weighing {
        self.settings.read(Settings::weighing)
    }

    pub(crate) fn observer(&self) -> Option<&dyn Observer> {
        self.observer.as_deref()
    }

    /// Nanoseconds since the first use.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        let now = clock::now();
        let origin = *self.origin.get_or_init(|| now);
        crate::settings::nanos(now.saturating_duration_since(origin))
    }

    /// Discovery has failed; what is known stays in force.
    pub(crate) fn trouble(&self, error: &BoxError) {
        let times = self.trouble.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::warn!(service = %self.service, %error, times, "discovery failed");
        if let Some(observer) = self.observer() {
            contain(|| observer.discovery_failed(self.service(), &**error));
        }
    }

    /// Discovery has failed, and is not followed any more.
    pub(crate) fn lost(&self, error: &(dyn Error + 'static)) {
        self.trouble.fetch_add(1, Ordering::Relaxed);
        tracing::error!(service = %self.service, %error, "discovery is lost");
        if let Some(observer) = self.observer() {
            contain(|| observer.discovery_failed(self.service(), error));
        }
    }

    pub(crate) fn troubles(&self) -> u64 {
        self.trouble.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("service", &self.service)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
