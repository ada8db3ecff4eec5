//! What a limit tells whoever counts.

/// Hears what a limit does; every method does nothing by default.
///
/// It is called on the path of a call, after the decision, so it must not block.
pub trait Observer: Send + Sync + 'static {
    /// A call was rejected.
    fn limited(&self) {}
}
