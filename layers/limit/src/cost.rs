//! What a call costs.

/// How many of a rate's calls one request counts for.
///
/// A function will do: `|request: &Req| 1`. What costs nothing is always admitted; what costs more than
/// the burst never is: it fails with [`TooCostly`](crate::TooCostly).
pub trait Cost<Req> {
    /// The cost of this request.
    fn cost(&self, request: &Req) -> u32;
}

/// Every request counts for one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Each;

// === impl Cost ===

impl<Req> Cost<Req> for Each {
    fn cost(&self, _: &Req) -> u32 {
        1
    }
}

impl<Req, F: Fn(&Req) -> u32> Cost<Req> for F {
    fn cost(&self, request: &Req) -> u32 {
        self(request)
    }
}
