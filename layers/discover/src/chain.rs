//! The adapters of sources as words that follow one another.

use crate::{
    adapted::Adapted,
    aperture::{Aperture, DeterministicAperture},
    networks::Networks,
    only::Only,
    zones::Zones,
};
use ziggurat_core::{Instance, Live, Resolve};

/// Puts adapters around any source, each of which is a source.
///
/// They read from the source on: what is chosen first stands first.
///
/// ```
/// use std::num::NonZeroU32;
/// use ziggurat_core::Instance;
/// use ziggurat_discover::{Aperture, Fixed, ResolveExt, Zones};
///
/// # fn main() -> Result<(), ziggurat_core::InvalidSetting> {
/// let here = Instance::new("user-service", "a", "10.0.0.1", 50051)?
///     .with_zone("eu-1")?
///     .with_metadata("version", "2");
/// let source = Fixed::new([here])
///     // The canary: those of version 2 alone.
///     .only_with("version", "2")
///     // The zone that this client is in, while it has enough of them.
///     .prefer_zone(Zones::new("eu-1"))
///     // Of these a part that no other client has the whole of: this is the third client of ten.
///     .aperture(Aperture::new(2, 10, NonZeroU32::MIN)?);
/// # drop(source);
/// # Ok(())
/// # }
/// ```
pub trait ResolveExt: Resolve + Sized {
    /// Says only the instances for which `keep` is true.
    fn only<F>(self, keep: F) -> Adapted<Self, Only<F>>
    where
        F: Fn(&Instance) -> bool + Clone + Send + Sync + Unpin + 'static,
    {
        Adapted::new(self, Only::new(keep))
    }

    /// Says only the instances with this word in their metadata.
    fn only_with(
        self,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Adapted<Self, Only<impl Fn(&Instance) -> bool + Clone + Send + Sync + Unpin + 'static>>
    {
        let (key, value) = (key.into(), value.into());
        self.only(move |one: &Instance| one.metadata().get(&key) == Some(&value))
    }

    /// Says only the instances whose address is in one of `networks`.
    fn within(self, networks: Networks) -> Adapted<Self, Networks> {
        Adapted::new(self, networks)
    }

    /// Says the instances of one zone, and others in so far as that zone does not suffice.
    fn prefer_zone(self, zones: Zones) -> Adapted<Self, Zones> {
        Adapted::new(self, zones)
    }

    /// Says the part of the instances that falls to this one of several clients.
    fn aperture(self, aperture: impl Into<Live<Aperture>>) -> Adapted<Self, DeterministicAperture> {
        Adapted::new(self, DeterministicAperture::new(aperture))
    }
}

impl<R: Resolve> ResolveExt for R {}
