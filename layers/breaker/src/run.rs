//! One operation behind a circuit, where there is no service.

use crate::{BreakerLayer, Breakers, Permit};
use ziggurat_core::{BoxError, ByResult, Classify, Recorder};

// === impl BreakerLayer ===

impl<C> BreakerLayer<C> {
    /// Does `op` behind the circuit, or does not begin it: a query, a command to a cache, whatever has no
    /// service to put a layer around.
    ///
    /// An error is a failure, or what the [`Rejection`](ziggurat_core::Rejection) that caused it stands
    /// for. Dropped, it drops the operation, which then counts for nothing.
    ///
    /// # Errors
    ///
    /// What `op` failed with; [`Open`](crate::Open) or [`Throttled`](crate::Throttled) if it was not begun,
    /// which [`error::find`](ziggurat_core::error::find) tells apart.
    pub async fn run<T, E, F, Fut>(&self, op: F) -> Result<T, BoxError>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Into<BoxError>,
    {
        behind(self.admit()?, op).await
    }
}

// === impl Breakers ===

impl Breakers {
    /// Does `op` behind the circuit of this name, or does not begin it; see
    /// [`BreakerLayer::run`].
    ///
    /// ```
    /// use ziggurat_breaker::{Breakers, Open, Settings};
    /// use ziggurat_core::{BoxError, error};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let breakers = Breakers::new(Settings::new());
    /// let rows = breakers.run("orders-db", async || Ok::<_, std::io::Error>(3)).await?;
    /// assert_eq!(rows, 3);
    ///
    /// breakers.handle("orders-db").force_open();
    /// let refused = breakers.run("orders-db", async || Ok::<_, std::io::Error>(3)).await;
    /// assert!(refused.is_err_and(|error| error::find::<Open>(&*error).is_some()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn run<T, E, F, Fut>(&self, name: &str, op: F) -> Result<T, BoxError>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: Into<BoxError>,
    {
        behind(self.named().admit(name)?, op).await
    }
}

/// Nobody tells of a deadline here: what is late fails by itself.
async fn behind<T, E, F, Fut>(permit: Permit, op: F) -> Result<T, BoxError>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    let recorder = Recorder::new(permit, None);
    let result = op().await.map_err(Into::into);
    ByResult.observe(result, recorder)
}
