//! What a server did not believe, for whoever counts.

/// Hears what is not believed; every method does nothing by default.
///
/// It is called on the path of a request, so it must not block.
pub trait Observer: Send + Sync + 'static {
    /// A stranger said this, and it was dropped or lowered.
    fn distrusted(&self, what: Distrusted) {
        let _ = what;
    }
}

/// What a stranger said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Distrusted {
    /// That the call is more critical than strangers' calls are.
    Criticality,
    /// That the call is a retry: its number, or that nobody may retry it.
    Attempts,
    /// Baggage.
    Baggage,
    /// That the call is to be sampled, or a trace that makes no sense.
    Trace,
    /// An id that is neither a UUID nor hex.
    Id,
    /// Whom the request is forwarded for.
    Forwarding,
    /// A deadline that is too far away, or makes no sense.
    Deadline,
}
