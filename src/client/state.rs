//! How a channel is doing, in gRPC's words.

use ziggurat_core::State;

/// How a channel is doing (grpc/grpc, `doc/connectivity-semantics-and-api.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChannelState {
    /// At least one endpoint takes calls.
    Ready,
    /// Endpoints are being found or connected, and none is ready.
    Connecting,
    /// There are endpoints, and none of them takes calls.
    TransientFailure,
    /// Nobody has called yet, so nothing was connected.
    Idle,
    /// It was closed.
    Shutdown,
}

// === impl ChannelState ===

impl ChannelState {
    /// The state of a started channel whose endpoints are in these states.
    pub(super) fn of(endpoints: impl Iterator<Item = State>) -> Self {
        let best = endpoints.map(Self::of_one).min_by_key(|state| *state as u8);
        best.unwrap_or(Self::Connecting)
    }

    /// Ordered so that what promises more is less.
    fn of_one(endpoint: State) -> Self {
        match endpoint {
            State::Ready => Self::Ready,
            State::Idle | State::Connecting => Self::Connecting,
            _ => Self::TransientFailure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_endpoint_counts() {
        let of = |states: &[State]| ChannelState::of(states.iter().copied());
        assert_eq!(of(&[]), ChannelState::Connecting);
        assert_eq!(
            of(&[State::Down, State::Ejected]),
            ChannelState::TransientFailure
        );
        assert_eq!(
            of(&[State::Down, State::Connecting]),
            ChannelState::Connecting
        );
        assert_eq!(
            of(&[State::Connecting, State::Ready, State::Down]),
            ChannelState::Ready
        );
    }
}
