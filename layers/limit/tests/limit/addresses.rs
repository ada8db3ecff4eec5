//! Keys that are addresses: who is believed, and how headers of proxies are read.

use crate::rate;
use http::{Extensions, Request};
use std::net::{IpAddr, SocketAddr};
use tower::{BoxError, Layer, ServiceExt, service_fn};
use ziggurat_limit::{ByAddress, Forwarding, KeyedLimitLayer};

pub(crate) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get().map(SocketAddr::ip)
}

pub(crate) fn from(peer: &str, header: &str, value: &str) -> Request<()> {
    let address: IpAddr = peer.parse().unwrap();
    let request = Request::builder().extension(SocketAddr::from((address, 4_711)));
    request.header(header, value).body(()).unwrap()
}

fn behind(forwarding: Forwarding) -> ByAddress<fn(&Extensions) -> Option<IpAddr>> {
    let proxies = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
    ByAddress::of_peer(peer as fn(&Extensions) -> _).behind(proxies, forwarding)
}

#[tokio::test(start_paused = true)]
async fn spoofed_addresses_do_not_get_around_the_limit_of_a_network() {
    // All of one /64; and of the peer's own choice, in a header that nobody may set.
    let layer = KeyedLimitLayer::new(behind(Forwarding::XForwardedFor), rate(1, 5));
    let service = layer.layer(service_fn(|_| async { Ok::<_, BoxError>(()) }));
    let mut admitted = 0;
    for n in 0..1_000 {
        let peer = format!("2001:db8::{n:x}");
        let request = from(&peer, "x-forwarded-for", &format!("192.0.2.{}", n % 256));
        admitted += usize::from(service.clone().oneshot(request).await.is_ok());
    }
    assert_eq!((admitted, layer.keys_in_use()), (5, 1));
}

#[test]
fn forwarding_headers_are_read_from_the_right_past_trusted_proxies() {
    let by = behind(Forwarding::XForwardedFor);
    for (peer, value, client) in [
        // Of somebody who is not a proxy nothing is believed.
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("fd00::1", "2001:db8::7, 10.0.0.2", "2001:db8::7"),
        // What the client itself wrote stands to the left of what was written about it.
        (
            "10.0.0.1",
            "1.1.1.1, 198.51.100.7, 10.0.0.2",
            "198.51.100.7",
        ),
        ("10.0.0.1", "10.9.9.9, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        // What is no address ends what can be known.
        ("10.0.0.1", "198.51.100.7, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7,", "10.0.0.1"),
    ] {
        let address = by.address(&from(peer, "x-forwarded-for", value));
        assert_eq!(address, Some(client.parse().unwrap()), "{peer}: {value}");
    }
    // Only the header that the proxies write is read.
    let other = from("10.0.0.1", "forwarded", "for=198.51.100.7");
    assert_eq!(by.address(&other), Some([10, 0, 0, 1].into()));
    assert_eq!(by.address(&Request::new(())), None);
}

#[test]
fn forwarded_is_read_as_rfc_7239_writes_it() {
    let by = behind(Forwarding::Forwarded);
    for (value, client) in [
        ("for=198.51.100.7", "198.51.100.7"),
        (
            "proto=http; For=\"198.51.100.7:4711\";by=10.0.0.1",
            "198.51.100.7",
        ),
        (
            "for=1.1.1.1, for=\"[2001:db8::7]:4711\", for=10.0.0.2",
            "2001:db8::7",
        ),
        // A quote that the client opened does not swallow what a proxy wrote.
        ("for=\"1.1.1.1, for=198.51.100.7", "198.51.100.7"),
        ("for=198.51.100.7, for=_hidden", "10.0.0.1"),
        ("by=198.51.100.7", "10.0.0.1"),
    ] {
        let address = by.address(&from("10.0.0.1", "forwarded", value));
        assert_eq!(address, Some(client.parse().unwrap()), "{value}");
    }
}

#[test]
fn what_a_client_writes_of_itself_names_nobody_through_a_proxy_that_quotes_it() {
    let by = behind(Forwarding::Forwarded);
    for value in [
        // `host` is what the client sent: a name may have commas and semicolons in it.
        r#"for=198.51.100.7;host="x,for=6.6.6.6""#,
        r#"for=198.51.100.7;host=",for=6.6.6.6;x=""#,
        r#"host="x;for=6.6.6.6";for=198.51.100.7"#,
        r#"host="x\",for=6.6.6.6;x=\"";for=198.51.100.7"#,
        r#"host="x\\";for=198.51.100.7"#,
        // And all that it wrote into the header itself stands to the left.
        r#"for=6.6.6.6;x=", for=198.51.100.7;host="y""#,
        r#"for=6.6.6.6;x="\, for=198.51.100.7"#,
        r#"", for=198.51.100.7"#,
        r#"for=6.6.6.6;x=", for=198.51.100.7;host=";y=\"""#,
    ] {
        let address = by.address(&from("10.0.0.1", "forwarded", value));
        assert_eq!(address, Some([198, 51, 100, 7].into()), "{value}");
    }
    // Where it is the proxy that is odd, nobody is believed.
    for value in [
        "for=198.51.100.7;for=6.6.6.6",
        r#"for=198.51.100.7;FOR="6.6.6.6""#,
        r#"for="198.51.100.7"#,
        r#"for=198.51.100.7""#,
        r#"for=""198.51.100.7"""#,
        "for=",
        "for",
        ";;;",
    ] {
        let address = by.address(&from("10.0.0.1", "forwarded", value));
        assert_eq!(address, Some([10, 0, 0, 1].into()), "{value}");
    }
}

#[test]
fn a_port_is_no_part_of_an_address_even_if_it_is_hidden() {
    for (forwarding, name, values) in [
        (
            Forwarding::Forwarded,
            "forwarded",
            [
                r#"for="192.0.2.9:4711""#,
                r#"for="192.0.2.9:_hidden""#,
                r#"for="[::ffff:192.0.2.9]:_p-1.x""#,
            ],
        ),
        (
            Forwarding::XForwardedFor,
            "x-forwarded-for",
            ["192.0.2.9:4711", "192.0.2.9:65535", "[::ffff:192.0.2.9]:1"],
        ),
    ] {
        for value in values {
            let address = behind(forwarding).address(&from("10.0.0.1", name, value));
            assert_eq!(address, Some([192, 0, 2, 9].into()), "{value}");
        }
    }
}

#[test]
fn proxies_may_be_written_as_ipv4_mapped_into_ipv6() {
    let mapped = "::ffff:10.0.0.0/104".parse().unwrap();
    let by = ByAddress::of_peer(peer).behind([mapped], Forwarding::XForwardedFor);
    let value = "192.0.2.9, 10.0.0.2";
    for proxy in ["10.0.0.1", "::ffff:10.0.0.1"] {
        let address = by.address(&from(proxy, "x-forwarded-for", value));
        assert_eq!(address, Some([192, 0, 2, 9].into()), "{proxy}");
    }
}

#[test]
fn many_lines_of_a_header_are_one_list_and_nobody_makes_us_read_for_long() {
    let by = behind(Forwarding::XForwardedFor);
    let mut request = from("10.0.0.1", "x-forwarded-for", "1.1.1.1");
    let second = "198.51.100.7, 10.0.0.2".parse().unwrap();
    request.headers_mut().append("x-forwarded-for", second);
    assert_eq!(by.address(&request), Some([198, 51, 100, 7].into()));

    let trusted = "10.0.0.2,".repeat(5_000) + "10.0.0.2";
    let request = from("10.0.0.1", "x-forwarded-for", &format!("1.1.1.1,{trusted}"));
    assert_eq!(by.address(&request), Some([10, 0, 0, 2].into()));
}
