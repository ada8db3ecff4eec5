//! What a policy may know about the call.

use http::Extensions;
use ziggurat_core::{Attempt, CallOptions, EndpointId, Trail, Tried};

/// A call for which a [`Policy`](super::Policy) chooses an endpoint.
#[derive(Debug)]
pub struct Call<'a, Req> {
    request: &'a Req,
    words: Option<&'a Extensions>,
    tried: Option<&'a Tried>,
}

// === impl Call ===

impl<'a, Req> Call<'a, Req> {
    pub(crate) fn new(request: &'a Req, words: Option<&'a Extensions>) -> Self {
        let attempt = words.and_then(|words| words.get::<Attempt>());
        Self {
            request,
            words,
            tried: attempt.map(Attempt::tried),
        }
    }

    /// The request as it came: its head and its body have not been touched.
    #[must_use]
    pub const fn request(&self) -> &'a Req {
        self.request
    }

    /// The extensions of the request, where requests have any.
    #[must_use]
    pub const fn extensions(&self) -> Option<&'a Extensions> {
        self.words
    }

    /// Did an earlier attempt of this call go to `endpoint`?
    #[must_use]
    pub fn has_tried(&self, endpoint: &EndpointId) -> bool {
        match self.tried {
            Some(tried) => tried.contains(endpoint),
            None => Trail::leads_to(endpoint),
        }
    }

    /// The key of the call, for policies that send equal keys to one endpoint.
    #[must_use]
    pub fn hash_key(&self) -> Option<u64> {
        self.words?.get::<CallOptions>()?.hash_key
    }

    pub(crate) fn note(&self, endpoint: &EndpointId) {
        match self.tried {
            Some(tried) => tried.note(endpoint),
            None => Trail::note(endpoint),
        }
    }
}

impl<Req> Clone for Call<'_, Req> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Req> Copy for Call<'_, Req> {}
