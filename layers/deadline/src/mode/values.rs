//! Requests of any type, and responses that are whole when they come.

use super::{Cover, Due, Stamp, Timer};
use crate::{Observer, Settings, local};
use ziggurat_core::{ByResult, Carry, Deadline, clock};

/// For any service: the response is whole when it comes.
///
/// `C` finds the words of ours in a request, if such requests carry any; [`ByResult`] says that
/// they do not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Values<C = ByResult>(pub(crate) C);

// === impl Values ===

impl<Req, C: Carry<Req>> Stamp<Req> for Values<C> {
    #[inline(always)]
    fn stamp(&self, request: &mut Req, settings: &Settings, _: &dyn Observer) -> Option<Due> {
        let (asked, current) = (self.0.deadline(request), local::current());
        let told = self.0.extensions(request).is_some();
        if asked.is_none() && current.is_none() && !told {
            return settings.most(None).map(Due::Within);
        }
        let started = clock::now();
        let deadline = Deadline::earlier(settings.bound(asked, started), current)?;
        if let Some(extensions) = self.0.extensions_mut(request) {
            extensions.insert(deadline);
        }
        Some(Due::At { deadline, started })
    }
}

impl<Rsp, C> Cover<Rsp> for Values<C> {
    type Response = Rsp;

    #[inline]
    fn cover(response: Rsp, _: &mut Option<Timer>) -> Rsp {
        response
    }
}
