//! Ports that a server can have again after it was killed.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::Range,
    sync::{Mutex, PoisonError},
};

/// Below the ports that systems give to whoever asks for any: while a server is down nobody gets its
/// port by chance, neither as a listener nor as the near end of a connection.
const PORTS: Range<u64> = 10_000..32_000;
const TRIES: usize = 1_000;

/// A port that was free a moment ago, and that nobody in this process was given before.
///
/// # Panics
///
/// When there is none.
pub(crate) fn free_address() -> SocketAddr {
    static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let given = given.get_or_insert_with(HashSet::new);
    // Every hasher has keys of its own.
    let number = || RandomState::new().hash_one(std::process::id());
    let port = |_| (PORTS.start + number() % (PORTS.end - PORTS.start)) as u16;
    let is_free = |port: &u16| {
        !given.contains(port) && TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
    };
    let found = (0..TRIES).map(port).find(is_free);
    let port = found.expect("a test machine has a free loopback port");
    given.insert(port);
    (Ipv4Addr::LOCALHOST, port).into()
}
