//! What names and addresses may be made of.

use std::net::{IpAddr, Ipv6Addr};

/// The longest name of a service, an id, a host or a zone, in bytes; DNS's limit for a name.
const MAX_NAME: usize = 255;
/// The longest name of a link: `IF_NAMESIZE` of Linux, less the zero at its end.
const MAX_ZONE: usize = 15;

pub(super) fn is_name(text: &str) -> bool {
    let visible = |c: char| !c.is_control() && !c.is_whitespace();
    (1..=MAX_NAME).contains(&text.len()) && text.chars().all(visible)
}

pub(super) fn is_host(text: &str) -> bool {
    let in_label = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(in_label);
    text.parse::<IpAddr>().is_ok()
        || is_scoped(text)
        || text.len() <= MAX_NAME
            && text
                .strip_suffix('.')
                .unwrap_or(text)
                .split('.')
                .all(is_label)
}

/// An IPv6 address with a zone (RFC 4007, 11): which of this machine's links it is on.
fn is_scoped(text: &str) -> bool {
    let in_zone = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    text.split_once('%').is_some_and(|(address, zone)| {
        let sane = (1..=MAX_ZONE).contains(&zone.len()) && zone.bytes().all(in_zone);
        sane && address.parse::<Ipv6Addr>().is_ok()
    })
}
