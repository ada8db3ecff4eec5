//! What a limit tells whoever counts.

/// Hears what a limit does; every method does nothing by default.
///
/// It is called on the path of a call, after the decision, so it must not block. One that
/// panics changes nothing.
pub trait Observer: Send + Sync + 'static {
    /// A call was rejected: there is no permit for it.
    fn limited(&self) {}

    /// A call waits for its turn.
    fn queued(&self) {}

    /// A call was refused for what it is: it costs more than the burst, or its key is too long.
    fn refused(&self) {}

    /// A call of a new key shares the limit of those for whom there was no place.
    fn overflowed(&self) {}
}
