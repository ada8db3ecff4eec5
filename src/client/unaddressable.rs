//! A service that no call can be addressed to.

use std::{error::Error, fmt};
use ziggurat_core::{BoxError, Code, Rejection};

/// The name of the service cannot stand in `:authority`, or no certificate can be for it: the call was
/// not sent, and no other will be.
///
/// Another authority ([`ChannelSettings::authority`](super::ChannelSettings::authority)) or another
/// server name of TLS makes calls possible.
#[derive(Clone, Debug)]
pub struct Unaddressable(Rejection);

// === impl Unaddressable ===

impl Unaddressable {
    pub(super) fn because(error: &BoxError) -> Self {
        let rejection = Rejection::decided(Code::InvalidArgument, error.to_string());
        Self(rejection)
    }
}

impl fmt::Display for Unaddressable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.reason())
    }
}

impl Error for Unaddressable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}
