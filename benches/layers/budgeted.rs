//! When tower tries again.

use std::{
    future::{Ready, ready},
    sync::Arc,
};
use tower::retry::{
    Policy,
    budget::{Budget, TpsBudget},
};

/// tower leaves the policy to its users; this is the one of its documentation, with a budget.
#[derive(Clone, Default)]
pub(crate) struct Budgeted(Arc<TpsBudget>);

// === impl Budgeted ===

impl<Req: Clone, Rsp, E> Policy<Req, Rsp, E> for Budgeted {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Req, result: &mut Result<Rsp, E>) -> Option<Ready<()>> {
        match result {
            Ok(_) => {
                self.0.deposit();
                None
            }
            Err(_) => self.0.withdraw().then(|| ready(())),
        }
    }

    fn clone_request(&mut self, request: &Req) -> Option<Req> {
        Some(request.clone())
    }
}
