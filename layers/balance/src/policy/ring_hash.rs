//! Equal keys to one endpoint.

use super::{Arrange, Call, Candidates, Endpoints, Policy, ring::Ring, usual::Usual};
use std::fmt;
use ziggurat_core::{Dice, InvalidSetting};

/// Sends calls with equal keys to one endpoint, for as long as it is there and well (Karger et al.:
/// "Consistent hashing and random trees", 1997; gRFC A42).
///
/// When an endpoint comes or goes, only the keys move that it gets or had. A key whose endpoint is not
/// ready, or was tried by the call before, goes to the next one on the ring, and so do retries. A call
/// without a key goes anywhere.
///
/// # Defaults
///
/// The key is the [`hash_key`](ziggurat_core::CallOptions::hash_key) of the call's options, and an
/// endpoint gets all the calls for its keys.
///
/// # Example
///
/// ```
/// use http::Request;
/// use std::hash::{DefaultHasher, Hash, Hasher};
/// use ziggurat_balance::{BalanceLayer, RingHash};
///
/// // By a header (gRFC A76).
/// let by_session = RingHash::by(|request: &Request<()>| {
///     let mut hasher = DefaultHasher::new();
///     request.headers().get("session-id")?.hash(&mut hasher);
///     Some(hasher.finish())
/// });
/// let layer = BalanceLayer::new(by_session);
/// ```
#[derive(Clone)]
pub struct RingHash<K = HashKey> {
    key: K,
    most: Option<f64>,
    dice: Dice,
    /// Calls that are pending at an endpoint, whichever.
    usual: Usual,
}

/// The [`hash_key`](ziggurat_core::CallOptions::hash_key) of the options that a request carries.
#[derive(Clone, Copy, Debug, Default)]
pub struct HashKey;

/// Takes the key of a call from its request.
pub trait Key<Req>: Clone + Send + Sync + 'static {
    /// The key; `None`: it may go anywhere.
    fn key(&self, call: &Call<'_, Req>) -> Option<u64>;
}

/// So many points are looked at, before all endpoints are.
const POINTS: usize = 256;
const LEARN_EVERY: u64 = 8;

// === impl RingHash ===

impl Default for RingHash {
    fn default() -> Self {
        Self::new()
    }
}

impl RingHash {
    /// By the key that the options of a call name.
    #[must_use]
    pub fn new() -> Self {
        Self::by(HashKey)
    }
}

impl<K> RingHash<K> {
    /// By the key that `key` takes from the request: a closure `Fn(&Req) -> Option<u64>`, or a
    /// [`Key`].
    #[must_use]
    pub fn by(key: K) -> Self {
        Self {
            key,
            most: None,
            dice: Dice::new(),
            usual: Usual::default(),
        }
    }

    /// Sends a call on along the ring when its endpoint has more than `most` times as many calls
    /// pending as endpoints have on average (Mirrokni, Thorup, Zadimoghaddam: "Consistent hashing with
    /// bounded loads", 2018), as far as samples tell: one key that everybody asks for does not swamp
    /// one endpoint.
    ///
    /// # Errors
    ///
    /// If it is not above 1 and finite.
    pub fn bounded(mut self, most: f64) -> Result<Self, InvalidSetting> {
        if !(most.is_finite() && most > 1.0) {
            let rule = "must be above 1 and finite";
            return Err(InvalidSetting::new("ring hash", "bounded", most, rule));
        }
        self.most = Some(most);
        Ok(self)
    }

    /// Draws with `dice`: a seeded one replays a test.
    #[must_use]
    pub fn dice(mut self, dice: Dice) -> Self {
        self.dice = dice;
        self
    }

    /// The most calls that may be pending where one more goes.
    fn bound(&self, among: &Candidates<'_>) -> f64 {
        let Some(most) = self.most else {
            return f64::INFINITY;
        };
        if self.dice.number().is_multiple_of(LEARN_EVERY) {
            let any = self.dice.below(among.len());
            // One more than there are, so that 0 stands for "not yet".
            self.usual.learn(among.pending(any) as f64 + 1.0);
        }
        match self.usual.get() {
            0.0 => f64::INFINITY,
            usual => (usual * most).ceil(),
        }
    }
}

impl<K: Clone + Send + Sync + 'static> Arrange for RingHash<K> {
    type Table = Ring;

    fn arrange(&self, endpoints: &Endpoints<'_>) -> Ring {
        Ring::of(endpoints)
    }
}

impl<Req, K: Key<Req>> Policy<Req> for RingHash<K> {
    fn pick(&self, ring: &Ring, among: &Candidates<'_>, call: &Call<'_, Req>) -> Option<usize> {
        if among.is_empty() {
            return None;
        }
        let key = self.key.key(call).unwrap_or_else(|| self.dice.number());
        let bound = self.bound(among);
        let (mut busy, mut tried, mut before) = (None, None, usize::MAX);
        for index in ring.from(key).take(POINTS) {
            if index == before || !among.is_open(index) {
                continue;
            }
            before = index;
            if call.has_tried(among.id(index)) {
                tried = tried.or(Some(index));
            } else if among.pending(index) as f64 >= bound {
                busy = busy.or(Some(index));
            } else {
                return Some(index);
            }
        }
        busy.or(tried).or_else(|| among.best(call))
    }
}

impl<K> fmt::Debug for RingHash<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingHash")
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

// === impl Key ===

impl<Req> Key<Req> for HashKey {
    fn key(&self, call: &Call<'_, Req>) -> Option<u64> {
        call.hash_key()
    }
}

impl<Req, F> Key<Req> for F
where
    F: Fn(&Req) -> Option<u64> + Clone + Send + Sync + 'static,
{
    fn key(&self, call: &Call<'_, Req>) -> Option<u64> {
        self(call.request())
    }
}

#[cfg(not(ziggurat_loom))]
#[cfg(test)]
mod tests;
