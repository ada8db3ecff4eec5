//! Who a request is from, as proxies tell it.

use super::quoted;
use http::{HeaderMap, HeaderName, HeaderValue, header::FORWARDED};
use std::net::{IpAddr, SocketAddr};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How many proxies may stand in a row. Who writes more is not read any further.
const MOST: usize = 64;

/// The addresses of `X-Forwarded-For`, the nearest first. One that is none ends them.
pub(super) fn x_forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = IpAddr> {
    from_the_right(headers, &X_FORWARDED_FOR, |line| line.rsplit(',')).map_while(address)
}

/// The addresses of `Forwarded` (RFC 7239), the nearest first. One that is hidden ends them.
///
/// Commas and semicolons may stand in quotes, as in a `host` that the client made up.
pub(super) fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = IpAddr> {
    let split = |line| quoted::from_the_right(line, b',');
    from_the_right(headers, &FORWARDED, split).map_while(node)
}

fn node(element: &str) -> Option<IpAddr> {
    let mut nodes = quoted::from_the_right(element, b';').filter_map(|pair| {
        let (name, node) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(node)
    });
    match (nodes.next(), nodes.next()) {
        (Some(node), None) => address(quoted::value(node)?),
        _ => None,
    }
}

fn from_the_right<'h, I: Iterator<Item = &'h str>>(
    headers: &'h HeaderMap,
    name: &HeaderName,
    split: impl Fn(&'h str) -> I,
) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(name).into_iter().rev();
    // What is no text is no address: it ends the list, rather than vanish from it.
    let lines = lines.map(|line: &HeaderValue| line.to_str().unwrap_or(""));
    lines.flat_map(split).take(MOST)
}

fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    // A port may be hidden behind a name of its own, which says nothing about the address.
    let text = text.rsplit_once(":_").map_or(text, |(text, _)| text);
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse();
    let address = address.or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}
