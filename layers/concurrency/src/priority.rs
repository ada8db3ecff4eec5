//! How much a call matters to a limit.

use http::Request;
use ziggurat_core::{Criticality, grpc};

/// How much a call matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "within the limit or not")]
pub enum Priority {
    /// It passes, takes no permit, and teaches nothing: whoever asks for health wants to know that
    /// of a server that is busy, too.
    Exempt,
    /// It needs a permit, like others of its level.
    Level(Criticality),
}

/// Tells how much a call matters. Any `Fn(&Req) -> Priority` does.
pub trait Prioritize<Req> {
    /// How much it matters that `request` is answered.
    fn priority(&self, request: &Req) -> Priority;
}

/// All calls matter alike, whatever they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alike;

/// As the request says ([`Criticality::of`]); health checks of gRPC are exempt.
///
/// It believes the request: on a server whose callers are not trusted, what they may say is clamped
/// further out.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByCriticality;

// === impl Prioritize ===

impl<Req> Prioritize<Req> for Alike {
    #[inline]
    fn priority(&self, _: &Req) -> Priority {
        Priority::Level(Criticality::Critical)
    }
}

impl<B> Prioritize<Request<B>> for ByCriticality {
    fn priority(&self, request: &Request<B>) -> Priority {
        match grpc::is_health_check(request.uri().path()) {
            true => Priority::Exempt,
            false => Priority::Level(Criticality::of(request)),
        }
    }
}

impl<Req, F: Fn(&Req) -> Priority> Prioritize<Req> for F {
    fn priority(&self, request: &Req) -> Priority {
        self(request)
    }
}
