//! Who a request is from, as proxies tell it.

use http::{HeaderMap, HeaderName, HeaderValue, header::FORWARDED};
use std::net::{IpAddr, SocketAddr};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How many proxies may stand in a row. Who writes more is not read any further.
const MOST: usize = 64;

/// The addresses of `X-Forwarded-For`, the nearest first. One that is none ends them.
pub(super) fn x_forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = IpAddr> {
    from_the_right(headers, &X_FORWARDED_FOR).map_while(address)
}

/// The addresses of `Forwarded` (RFC 7239), the nearest first. One that is hidden ends them.
pub(super) fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = IpAddr> {
    from_the_right(headers, &FORWARDED).map_while(|element| {
        let node = element.split(';').find_map(|pair| {
            let (name, node) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case("for").then_some(node)
        });
        address(node?.trim().trim_matches('"'))
    })
}

/// A comma always parts two elements, also within quotes: no node has any, and so nobody can open a
/// quote that swallows what a proxy appends.
fn from_the_right<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(name).into_iter().rev();
    // What is no text is no address: it ends the list, rather than vanish from it.
    let lines = lines.map(|line: &HeaderValue| line.to_str().unwrap_or(""));
    lines.flat_map(|line| line.rsplit(',')).take(MOST)
}

fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse();
    let address = address.or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}
