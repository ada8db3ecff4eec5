//! What an HTTP request says of the call that it is.

use crate::{Settings, Wanted};
use http::Request;
use ziggurat_core::Carry;

#[inline]
pub(super) fn wanted<C, B>(carry: &C, request: &Request<B>, settings: &Settings) -> Wanted
where
    C: Carry<Request<B>>,
{
    let path = request.uri().path();
    let idempotent = settings.assume_idempotent
        || request.method().is_idempotent()
        || settings.idempotent_paths.is_some_and(|known| known(path));
    let wanted = Wanted::of(carry, request, idempotent);
    if wanted.idempotent {
        wanted.method(hash(path))
    } else {
        // Nobody measures it.
        wanted
    }
}

/// Eight bytes at a time, and good enough for a handful of methods.
#[inline(never)]
fn hash(path: &str) -> u64 {
    // 2^64 divided by the golden ratio, as Fibonacci hashing has it.
    const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |hash: u64, word: [u8; 8]| {
        let hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(SPREAD);
        // The low bits tell the methods apart, and only the high ones know of all bytes.
        hash ^ hash >> 32
    };
    let (words, rest) = path.as_bytes().as_chunks::<8>();
    let hash = words
        .iter()
        .fold(path.len() as u64, |hash, word| mix(hash, *word));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(hash, last)
}
