//! What a circuit tells whoever counts.

use crate::State;

/// Hears what a circuit does; every method does nothing by default.
///
/// It is called on the path of a call, so it must not block, but after the decision, and never
/// under a lock: it may turn the circuit by its [`Handle`](crate::Handle).
/// One that panics changes nothing.
pub trait Observer: Send + Sync + 'static {
    /// The circuit went from one state to another. Changes are told one at a time, in their order, and
    /// each begins where the one before it ended, the first with [`State::Closed`]: whoever keeps a
    /// gauge for each state and puts 1 into that of `to` and 0 into that of `from` always has one
    /// that is 1, whatever threads do to the circuit.
    ///
    /// That holds for one circuit: [`isolated`](crate::BreakerLayer::isolated) tells the same observer of
    /// another one.
    fn changed(&self, from: State, to: State) {
        let _ = (from, to);
    }

    /// A call was rejected.
    fn rejected(&self) {}

    /// A call that was admitted was dropped by its caller, and counts for nothing.
    fn cancelled(&self) {}
}
