//! The place that a call takes at its endpoint until its answer is here.

use crate::record::Measure;
use ziggurat_core::{Deadline, Recorder};

/// Gives the place back when the call is dropped before its answer.
#[derive(Debug)]
pub(crate) struct Place {
    measure: Option<Measure>,
    deadline: Option<Deadline>,
}

// === impl Place ===

impl Place {
    pub(crate) const fn new(measure: Measure, deadline: Option<Deadline>) -> Self {
        Self {
            measure: Some(measure),
            deadline,
        }
    }

    pub(crate) const fn measure(&self) -> Option<&Measure> {
        self.measure.as_ref()
    }

    /// Hands the place on, to be given back when the answer has ended.
    pub(crate) fn take(&mut self) -> Option<Recorder<Measure>> {
        let measure = self.measure.take()?;
        Some(Recorder::new(measure, self.deadline))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A recorder that is dropped tells a caller who lost interest from a timer.
        drop(self.take());
    }
}
