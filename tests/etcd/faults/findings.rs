//! What was found wrong.

use std::{
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A list that all who look on share.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings(Arc<Mutex<Vec<String>>>);

// === impl Findings ===

impl Findings {
    /// This must not be.
    pub(super) fn add(&self, finding: impl Display) {
        self.lock().push(finding.to_string());
    }

    /// All there are, one a line; nothing if all is well.
    pub(super) fn all(&self) -> Option<String> {
        let findings = self.lock();
        (!findings.is_empty()).then(|| findings.join("\n"))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
