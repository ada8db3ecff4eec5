//! What a layer of faults tells whoever counts.

/// Hears what is injected; every method does nothing by default.
///
/// It is called on the path of a call, after the decision, so it must not block.
pub trait Observer: Send + Sync + 'static {
    /// A call is given this fault; one that is given several is told of each.
    fn injected(&self, kind: Kind) {
        let _ = kind;
    }

    /// A header orders a fault, and its value makes no sense: nothing is done.
    fn malformed(&self, name: &http::HeaderName, value: &http::HeaderValue) {
        let _ = (name, value);
    }
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The call waits.
    Delay,
    /// The call does not reach the service.
    Abort,
    /// The response body is slow.
    Bandwidth,
    /// The response body breaks off.
    Cut,
}

impl Observer for () {}
