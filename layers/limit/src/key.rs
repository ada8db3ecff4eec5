//! What parts requests: each key has a limit of its own.

mod address;
mod forwarded;
mod quoted;

pub use self::address::{ByAddress, Forwarding};

use http::{HeaderName, Request};
use std::{
    borrow::Cow,
    fmt,
    hash::{Hash, Hasher},
    net::IpAddr,
};

/// Finds the key of a request: whoever, or whatever, has a limit of its own.
///
/// A function will do: `fn tenant(request: &Req) -> Option<Key<'_>>`. A closure that is written in place
/// goes through [`key_fn`].
pub trait KeyExtractor<Req> {
    /// The key of this request. Requests without one share one limit among them.
    fn key<'r>(&self, request: &'r Req) -> Option<Key<'r>>;
}

/// Whoever has a limit of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Key<'r> {
    /// A name, of at most [`MAX_KEY`] bytes.
    Text(Cow<'r, str>),
    /// A number.
    Number(u64),
    /// All addresses of a network: its first address, and the bits that they have in common.
    Network(IpAddr, u8),
}

/// The path of an HTTP request, which for gRPC is the method: `/package.Service/Method`.
///
/// Whoever calls can think of any number of paths: behind a router there are few.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByMethod;

/// The value of a header. Who may be believed to set it is for whatever stands outside to see.
#[derive(Clone, Debug)]
pub struct ByHeader(HeaderName);

/// The longest key, in bytes.
pub const MAX_KEY: usize = 1_024;

// === impl KeyExtractor ===

impl<Req, F> KeyExtractor<Req> for F
where
    F: for<'r> Fn(&'r Req) -> Option<Key<'r>>,
{
    fn key<'r>(&self, request: &'r Req) -> Option<Key<'r>> {
        self(request)
    }
}

// === impl Key ===

impl Key<'_> {
    /// The network of `prefix` bits that this address is in; all of its bits if it has fewer.
    ///
    /// An IPv4 address that is mapped into IPv6 is that IPv4 address.
    #[must_use]
    pub fn network(address: IpAddr, v4: u8, v6: u8) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let prefix = v4.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                Self::Network(IpAddr::V4((u32::from(address) & mask).into()), prefix)
            }
            IpAddr::V6(address) => {
                let prefix = v6.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                Self::Network(IpAddr::V6((u128::from(address) & mask).into()), prefix)
            }
        }
    }

    /// Its length in bytes, if it has any number of them.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Number(_) | Self::Network(..) => 0,
        }
    }
}

/// A byte tells the kinds apart; derived, it would be a word, and most of what there is to hash.
impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Text(text) => {
                state.write(text.as_bytes());
                state.write_u8(0);
            }
            Self::Number(number) => {
                state.write_u64(*number);
                state.write_u8(1);
            }
            Self::Network(IpAddr::V4(address), prefix) => {
                state.write(&address.octets());
                state.write(&[*prefix, 2]);
            }
            Self::Network(IpAddr::V6(address), prefix) => {
                state.write(&address.octets());
                state.write(&[*prefix, 3]);
            }
        }
    }
}

impl<'r> From<&'r str> for Key<'r> {
    fn from(text: &'r str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Key<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<u64> for Key<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Network(address, prefix) => write!(f, "{address}/{prefix}"),
        }
    }
}

// === impl ByMethod ===

impl<B> KeyExtractor<Request<B>> for ByMethod {
    fn key<'r>(&self, request: &'r Request<B>) -> Option<Key<'r>> {
        Some(request.uri().path().into())
    }
}

// === impl ByHeader ===

impl ByHeader {
    /// The value of this header, if it is ASCII text.
    #[must_use]
    pub const fn new(name: HeaderName) -> Self {
        Self(name)
    }
}

impl<B> KeyExtractor<Request<B>> for ByHeader {
    fn key<'r>(&self, request: &'r Request<B>) -> Option<Key<'r>> {
        let value = request.headers().get(&self.0)?.to_str().ok()?;
        Some(value.into())
    }
}

/// Makes an extractor of a closure, whose key may borrow from the request.
///
/// It gives the closure back as it is; but only where a parameter says what it has to be does the compiler
/// see that its key lives as long as the request. Without, the service that is made of the layer has no
/// `call`.
///
/// ```
/// use ziggurat_core::InvalidSetting;
/// use ziggurat_limit::{Key, KeyedLimitLayer, Rate, key_fn};
///
/// let tenant = key_fn(|request: &http::Request<()>| {
///     let tenant = request.headers().get("x-tenant")?;
///     tenant.to_str().ok().map(Key::from)
/// });
/// let layer = KeyedLimitLayer::new(tenant, Rate::per_second(100)?);
/// # drop(layer);
/// # Ok::<_, InvalidSetting>(())
/// ```
pub const fn key_fn<Req, F>(find: F) -> F
where
    F: for<'r> Fn(&'r Req) -> Option<Key<'r>>,
{
    find
}
