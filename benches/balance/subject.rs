//! Who is compared.

/// Somebody who chooses endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Oracle,
    /// Discovery, health and balance, as a client composes them, with nothing set.
    Ziggurat,
    /// The same, inside of retry.
    ZigguratRetry,
    ZigguratLeastRequest,
    ZigguratRoundRobin,
    TowerPeakEwma,
    TowerPending,
    /// tonic's `balance_list` and `balance_channel` are tower's balance over endpoints that all say
    /// that their load is 0 (tonic 0.14, `transport/channel/service/connection.rs`).
    Tonic,
    RoundRobin,
}

// === impl Subject ===

impl Subject {
    pub(crate) const ALL: [Self; 9] = [
        Self::Oracle,
        Self::Ziggurat,
        Self::ZigguratRetry,
        Self::ZigguratLeastRequest,
        Self::ZigguratRoundRobin,
        Self::TowerPeakEwma,
        Self::TowerPending,
        Self::Tonic,
        Self::RoundRobin,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Oracle => "oracle",
            Self::Ziggurat => "ziggurat",
            Self::ZigguratRetry => "ziggurat+retry",
            Self::ZigguratLeastRequest => "ziggurat least request",
            Self::ZigguratRoundRobin => "ziggurat round robin",
            Self::TowerPeakEwma => "tower peak ewma",
            Self::TowerPending => "tower pending",
            Self::Tonic => "tonic",
            Self::RoundRobin => "round robin",
        }
    }

    /// Do bounds speak of it?
    pub(crate) const fn is_bound(self) -> bool {
        matches!(self, Self::Oracle | Self::Ziggurat | Self::ZigguratRetry)
    }
}
