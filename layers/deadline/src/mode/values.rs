//! Requests of any type, and responses that are whole when they come.

use super::{Cover, Stamp, Timer};
use crate::{Observer, Settings, local};
use ziggurat_core::{ByResult, Carry, Deadline, clock::Instant};

/// For any service: the response is whole when it comes.
///
/// `C` finds the words of ours in a request, if such requests carry any; [`ByResult`] says that
/// they do not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Values<C = ByResult>(pub(crate) C);

// === impl Values ===

impl<Req, C: Carry<Req>> Stamp<Req> for Values<C> {
    fn stamp(
        &self,
        request: &mut Req,
        settings: Settings,
        now: Instant,
        _: &dyn Observer,
    ) -> Option<Deadline> {
        let own = settings.bound(self.0.deadline(request), now);
        let deadline = Deadline::earlier(own, local::current())?;
        if let Some(extensions) = self.0.extensions_mut(request) {
            extensions.insert(deadline);
        }
        Some(deadline)
    }
}

impl<Rsp, C> Cover<Rsp> for Values<C> {
    type Response = Rsp;

    fn cover(response: Rsp, _: Option<Timer>) -> Rsp {
        response
    }
}
