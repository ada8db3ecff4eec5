//! Which endpoint a call goes to: a choice that reads no clock and takes no lock.

use crate::LoadReports;

mod boxed;
mod call;
mod candidate;
mod candidates;
mod endpoints;
#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod field;
mod least_request;
mod p2c;
mod ring;
mod ring_hash;
mod round_robin;
mod schedule;
mod usual;
mod weights;

pub use self::{
    boxed::{BoxPolicy, BoxTable},
    call::Call,
    candidates::Candidates,
    endpoints::Endpoints,
    least_request::LeastRequest,
    p2c::P2c,
    ring::Ring,
    ring_hash::{HashKey, Key, RingHash},
    round_robin::RoundRobin,
    schedule::Schedule,
};
pub(crate) use self::{
    candidate::Candidate,
    weights::{Tally, Weights},
};

/// Makes of every new set of endpoints what its picks need to know of it.
///
/// The first half of a [`Policy`]: it does not depend on what a request is.
pub trait Arrange: Clone + Send + Sync + 'static {
    /// What picks look things up in; `()` if they need nothing.
    type Table: Send + Sync + 'static;

    /// Called by the driver task for a new set, before any call sees it.
    ///
    /// Calls go on with the set before meanwhile, so it may take its time; but as long as it takes,
    /// no change arrives.
    fn arrange(&self, endpoints: &Endpoints<'_>) -> Self::Table;

    /// What it makes of the [`LoadReport`](crate::LoadReport)s in the trailers of answers; `None`, which
    /// is the default: nothing, and nobody reads them.
    ///
    /// Otherwise the same set is arranged again every
    /// [update period](LoadReports::weight_update_period), and
    /// [`Endpoints::load_weights`] says what they weigh by then.
    fn load_reports(&self) -> Option<LoadReports> {
        None
    }
}

/// Chooses an endpoint for a call.
///
/// It is asked again, with that endpoint no longer [open](Candidates::is_open), when the one it chose
/// turns out not to take the call. It is asked by every call, on any thread, so it should write nothing
/// that threads share. When it panics, so does the call.
///
/// # Example
///
/// ```
/// use std::convert::Infallible;
/// use tower::{Layer, ServiceExt, discover::ServiceList, service_fn};
/// use ziggurat_balance::{
///     Arrange, BalanceLayer, Call, Candidates, Endpoints, Foreign, P2c, Policy,
/// };
/// use ziggurat_core::ByResult;
///
/// /// Sends the calls of a tester to the endpoint that is called "canary", while it is well.
/// #[derive(Clone, Default)]
/// struct TestersFirst(P2c);
///
/// impl Arrange for TestersFirst {
///     type Table = Option<usize>;
///
///     fn arrange(&self, endpoints: &Endpoints<'_>) -> Option<usize> {
///         endpoints.iter().position(|(id, _)| id.as_str() == "canary")
///     }
/// }
///
/// impl Policy<&'static str> for TestersFirst {
///     fn pick(
///         &self,
///         canary: &Option<usize>,
///         among: &Candidates<'_>,
///         call: &Call<'_, &'static str>,
///     ) -> Option<usize> {
///         let is_tester = call.request().starts_with("tester");
///         let canary = canary.filter(|at| is_tester && among.is_good(*at, call));
///         canary.or_else(|| self.0.pick(&(), among, call))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// # use tower::discover::Change;
/// # use futures_util::stream;
/// let server = |name: &'static str| {
///     let serve = service_fn(move |_: &'static str| async move { Ok::<_, Infallible>(name) });
///     Ok::<_, Infallible>(Change::Insert(name, serve))
/// };
/// let found = stream::iter(vec![server("canary")]);
/// let service = BalanceLayer::new(TestersFirst::default())
///     .classify_with(ByResult)
///     .layer(Foreign::new("greeter", found));
/// assert_eq!(service.clone().oneshot("tester: hello").await?, "canary");
/// # Ok(())
/// # }
/// ```
pub trait Policy<Req>: Arrange {
    /// The index of an endpoint that is [open](Candidates::is_open); `None` if there is none.
    fn pick(
        &self,
        table: &Self::Table,
        among: &Candidates<'_>,
        call: &Call<'_, Req>,
    ) -> Option<usize>;
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests;
