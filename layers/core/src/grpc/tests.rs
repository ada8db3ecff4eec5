//! The headers, against what the specification allows.

use super::*;

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_bytes(text.as_bytes()).unwrap()
}

fn pushed(values: &[&str]) -> Option<Pushback> {
    let mut headers = HeaderMap::new();
    for text in values {
        headers.append(PUSHBACK, value(text));
    }
    pushback(&headers)
}

#[test]
fn a_timeout_is_rounded_up_into_the_finest_unit_that_has_room() {
    for (timeout, text) in [
        (Duration::ZERO, "0n"),
        (Duration::from_nanos(1), "1n"),
        (Duration::from_nanos(99_999_999), "99999999n"),
        (Duration::from_nanos(100_000_001), "100001u"),
        (Duration::from_millis(120), "120000u"),
        (Duration::from_micros(99_999_999), "99999999u"),
        (Duration::from_nanos(99_999_999_001), "100000m"),
        (Duration::from_secs(60 * 99_999_999), "99999999M"),
        (Duration::from_secs(3_600 * 2_000_000), "2000000H"),
        (Duration::new(3_600 * 2_000_000, 1), "2000001H"),
        (Duration::from_secs(100), "100000m"),
        (Duration::from_secs(86_400 * 365), "31536000S"),
        (Duration::from_secs(u64::MAX), "99999999H"),
    ] {
        assert_eq!(encode_timeout(timeout), text, "{timeout:?}");
    }
}

#[test]
fn an_encoded_timeout_is_never_shorter_and_hardly_longer() {
    for shift in 0..63 {
        for timeout in [1_u64 << shift, (1 << shift) - 1, (1 << shift) + 1] {
            let timeout = Duration::from_nanos(timeout);
            let read = decode_timeout(&encode_timeout(timeout)).unwrap();
            assert!(read >= timeout, "{timeout:?} {read:?}");
            assert!(read <= timeout.mul_f64(1.000_01), "{timeout:?} {read:?}");
        }
    }
}

#[test]
fn a_timeout_that_the_specification_does_not_allow_is_refused_by_value() {
    for bad in [
        "",
        "1",
        "n",
        "123456789n",
        "-1S",
        "+1S",
        "1.5S",
        "1s",
        "1 S",
        " 1S",
        "99999999999H",
        "0x1S",
        "\u{fc}S",
    ] {
        let error = decode_timeout(&value(bad)).unwrap_err();
        assert!(
            error.to_string().contains("invalid grpc-timeout"),
            "{bad:?}"
        );
    }
    assert_eq!(decode_timeout(&value("0n")), Ok(Duration::ZERO));
    assert_eq!(
        decode_timeout(&value("99999999H")),
        Ok(Duration::from_secs(99_999_999 * 3_600))
    );
}

#[test]
fn a_pushback_is_one_number_or_says_never() {
    assert_eq!(pushed(&[]), None);
    assert_eq!(
        pushed(&["500"]),
        Some(Pushback::After(Duration::from_millis(500)))
    );
    assert_eq!(pushed(&["0"]), Some(Pushback::After(Duration::ZERO)));
    // Whoever writes one leaves the zeros out; they make it no less of a number.
    for zeros in ["0500", "000000000000500"] {
        let half_a_second = Pushback::After(Duration::from_millis(500));
        assert_eq!(pushed(&[zeros]), Some(half_a_second), "{zeros:?}");
    }
    for bad in [
        "-1",
        "-01",
        "-0",
        "+5",
        "",
        " ",
        "5 ",
        "soon",
        "2147483648",
        "1.5",
        "0x5",
        "1e3",
        "99999999999999999999999",
    ] {
        assert_eq!(pushed(&[bad]), Some(Pushback::Never), "{bad:?}");
    }
    assert_eq!(pushed(&["1", "1"]), Some(Pushback::Never));
    assert_eq!(
        pushback(&HeaderMap::from_iter([(PUSHBACK, NEVER)])),
        Some(Pushback::Never)
    );
}

#[test]
fn a_pushback_is_written_rounded_up() {
    assert_eq!(encode_pushback(Duration::from_micros(299_001)), "300");
    assert_eq!(encode_pushback(Duration::MAX), "2147483647");
}

#[test]
fn a_status_that_is_none_counts_as_unknown() {
    let mut headers = HeaderMap::new();
    assert_eq!(status(&headers), None);
    headers.insert(STATUS, value("14"));
    assert_eq!(status(&headers), Some(Code::Unavailable));
    headers.insert(STATUS, value("fourteen"));
    assert_eq!(status(&headers), Some(Code::Unknown));
}

#[test]
fn a_health_check_is_one_to_the_letter() {
    for method in ["Check", "Watch", "List"] {
        assert!(is_health_check(&format!("/grpc.health.v1.Health/{method}")));
    }
    for path in [
        "",
        "/",
        "/grpc.health.v1.Health",
        "/grpc.health.v1.Health/",
        "/grpc.health.v1.Health/check",
        "/grpc.health.v1.Health/Check/",
        "/grpc.health.v1.Health/../x",
        "/grpc.health.v1.Health/Check/../../admin",
        "/grpc.health.v1.Health/Check%2f..%2fadmin",
        "//grpc.health.v1.Health/Check",
    ] {
        assert!(!is_health_check(path), "{path}");
    }
}

#[test]
fn a_timeout_that_is_written_again_is_the_same_text_and_of_its_own_sensitivity() {
    let (one, other) = (Duration::from_secs(1), Duration::from_millis(250));
    for timeout in [
        one,
        one,
        one,
        other,
        one,
        other,
        other,
        other,
        one,
        Duration::ZERO,
        one,
    ] {
        let mut text = encode_timeout(timeout);
        assert_eq!(decode_timeout(&text), Ok(timeout));
        assert!(!text.is_sensitive());
        text.set_sensitive(true);
    }
}

#[test]
fn a_status_and_a_timeout_are_found_among_few_headers_and_among_many() {
    for others in [0, 3, FEW, 40] {
        let mut headers = HeaderMap::new();
        for other in 0..others {
            let name = format!("grpc-statu{other}").parse::<HeaderName>().unwrap();
            headers.insert(name, value("13"));
        }
        assert_eq!(head(&headers), (None, Follows::Other), "{others}");
        assert_eq!((status(&headers), timeout(&headers)), (None, None));
        headers.insert(TIMEOUT, value("3S"));
        headers.insert(CONTENT_TYPE, value("application/grpc+proto"));
        headers.append(STATUS, value("14"));
        // Of two, the first.
        headers.append(STATUS, value("0"));
        headers.append(CONTENT_TYPE, value("text/html"));
        assert_eq!(
            head(&headers),
            (Some(Code::Unavailable), Follows::Grpc),
            "{others}"
        );
        assert_eq!(status(&headers), Some(Code::Unavailable));
        assert_eq!(timeout(&headers), Some(Duration::from_secs(3)));
        headers.insert(TIMEOUT, value("3s"));
        assert_eq!(timeout(&headers), None);
    }
}

#[test]
fn of_two_timeouts_the_smaller_one_that_makes_sense_counts() {
    for others in [0, 3, FEW, 40] {
        for (values, least) in [
            (["3S", "200m"], Some(200)),
            (["200m", "3S"], Some(200)),
            (["3s", "5S"], Some(5_000)),
            (["5S", ""], Some(5_000)),
            (["0n", "1S"], Some(0)),
            (["3s", ""], None),
        ] {
            let mut headers = HeaderMap::new();
            for other in 0..others {
                let name = format!("x-{other}").parse::<HeaderName>().unwrap();
                headers.insert(name, value("13"));
            }
            for text in values {
                headers.append(TIMEOUT, value(text));
            }
            let least = least.map(Duration::from_millis);
            assert_eq!(timeout(&headers), least, "{values:?} {others}");
        }
    }
}

#[test]
fn a_content_type_is_grpcs_in_any_case() {
    for (kind, follows) in [
        ("application/grpc", Follows::Grpc),
        ("Application/gRPC+Proto", Follows::Grpc),
        ("APPLICATION/GRPC; charset=utf-8", Follows::Grpc),
        ("application/GRPC-web+proto", Follows::Web),
        ("application/grpcs", Follows::Other),
        ("application/json", Follows::Other),
        ("", Follows::Other),
    ] {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, value(kind))]);
        assert_eq!(head(&headers), (None, follows), "{kind:?}");
    }
}

/// The units of `grpc-timeout`, finest first, in nanoseconds.
const UNITS: [(u8, u64); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];

/// As the specification has it, slowly: the finest unit whose count has at most eight digits.
fn plainly(timeout: Duration) -> (u128, u8) {
    let nanos = timeout.as_nanos();
    let fits = |(name, unit): (u8, u64)| {
        let count = nanos.div_ceil(u128::from(unit));
        (count <= 99_999_999).then_some((count, name))
    };
    UNITS
        .into_iter()
        .find_map(fits)
        .unwrap_or((99_999_999, b'H'))
}

#[test]
fn a_timeout_is_written_as_plainly_reckoned_at_all_magnitudes() {
    let dice = crate::Dice::seeded(11);
    let near = |nanos: u128| [-1, 0, 1].map(|by| nanos.saturating_add_signed(by));
    let edges = UNITS.into_iter().flat_map(|(_, unit)| {
        let unit = u128::from(unit);
        [1, 99_999_999, 100_000_000]
            .into_iter()
            .flat_map(move |count| near(count * unit))
    });
    let any = (0..50_000).map(|_| {
        let nanos = u128::from(dice.number()) << 32 | u128::from(dice.number() >> 32);
        nanos >> dice.below(96)
    });
    for nanos in edges.chain(near(u64::MAX.into())).chain(any) {
        let Ok(seconds) = u64::try_from(nanos / 1_000_000_000) else {
            continue;
        };
        let timeout = Duration::new(seconds, (nanos % 1_000_000_000) as u32);
        let (count, unit) = plainly(timeout);
        let text = encode_timeout(timeout);
        let wanted = format!("{count}{}", char::from(unit));
        assert_eq!(text.as_bytes(), wanted.as_bytes(), "{timeout:?}");
        let read = decode_timeout(&text).unwrap();
        let most = Duration::from_secs(3_600 * 99_999_999);
        assert!(read >= timeout.min(most), "{timeout:?} {read:?}");
        assert_eq!(read.is_zero(), timeout.is_zero());
    }
}
