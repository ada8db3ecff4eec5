//! Requests of any type, and responses that are whole when they come.

use super::{Cover, Due, Stamp, Timer};
use crate::{Observer, Settings, local};
use ziggurat_core::{ByResult, Carry, Deadline};

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
        let most = settings.most(None, asked.is_some());
        if asked.is_none() && current.is_none() && !told {
            return most.map(Due::Within);
        }
        let due = Due::by(Deadline::earlier(asked, current), most)?;
        if let Due::At { deadline, .. } = due
            && let Some(extensions) = self.0.extensions_mut(request)
        {
            extensions.insert(deadline);
        }
        Some(due)
    }
}

impl<Rsp, C> Cover<Rsp> for Values<C> {
    type Response = Rsp;

    #[inline]
    fn cover(response: Rsp, _: &mut Option<Timer>) -> Rsp {
        response
    }
}
