//! The headers, against the specification and against noise.

use super::*;

const PARENT: &str = "00-0190a5c27b1e7c3d9e4f0123456789ab-00f067aa0ba902b7-01";
const TRACE_ID: u128 = 0x0190_a5c2_7b1e_7c3d_9e4f_0123_4567_89ab;

fn headers(pairs: &[(&HeaderName, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, text) in pairs {
        let value = HeaderValue::from_bytes(text.as_bytes()).unwrap();
        headers.append(*name, value);
    }
    headers
}

fn parse(text: &str) -> Option<Parent> {
    parse_parent(text.as_bytes())
}

#[test]
fn a_context_is_written_byte_for_byte() {
    let trace_id = "0190a5c2-7b1e-7c3d-9e4f-0123456789ab".parse().unwrap();
    let context = TraceContext::new(trace_id, "00f067aa0ba902b7".parse().unwrap());
    assert_eq!(context.traceparent(), PARENT);
    assert_eq!(context.x_trace_id(), "0190a5c2-7b1e-7c3d-9e4f-0123456789ab");
    let unsampled = context.sampled(false).traceparent();
    assert_eq!(unsampled, PARENT.replace("b7-01", "b7-00").as_str());
}

#[test]
fn a_traceparent_is_read_by_its_version() {
    let read = parse(PARENT).unwrap();
    assert_eq!(read.trace_id.number(), TRACE_ID);
    assert_eq!(read.span_id.number(), 0x00f0_67aa_0ba9_02b7);
    assert!(read.sampled);
    for (text, sampled) in [
        (PARENT.replace("b7-01", "b7-00"), false),
        (PARENT.replace("b7-01", "b7-02"), false),
        (PARENT.replace("b7-01", "b7-ff"), true),
        (PARENT.replacen("00-", "01-", 1), true),
        (PARENT.replacen("00-", "cc-", 1) + "-what-ever", true),
        (PARENT.replacen("00-", "fe-", 1) + "-", true),
    ] {
        assert_eq!(parse(&text), Some(Parent { sampled, ..read }), "{text}");
    }
}

#[test]
fn a_traceparent_that_the_specification_does_not_allow_is_none() {
    let zero_trace = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
    let zero_span = "00-0190a5c27b1e7c3d9e4f0123456789ab-0000000000000000-01";
    for bad in [
        String::new(),
        "00".to_owned(),
        PARENT[..54].to_owned(),
        format!("{PARENT}-"),
        format!("{PARENT}-00"),
        format!("{PARENT}0"),
        format!(" {PARENT}"),
        PARENT.to_uppercase(),
        PARENT.replacen("00-", "ff-", 1),
        PARENT.replacen("00-", "0g-", 1),
        PARENT.replacen("00-", "01-", 1) + "0",
        PARENT.replace("b7-01", "b7-0x"),
        PARENT.replace("b7-01", "b7_01"),
        PARENT.replace("789ab", "789aB"),
        PARENT.replace("789ab", "789a\u{e9}")[..55].to_owned(),
        zero_trace.to_owned(),
        zero_span.to_owned(),
    ] {
        assert_eq!(parse(&bad), None, "{bad:?}");
    }
}

#[test]
fn the_first_header_that_makes_sense_names_the_trace() {
    let uuid = "11111111-2222-4333-8444-555555555555";
    let uuid_id = 0x1111_1111_2222_4333_8444_5555_5555_5555;
    let request = "66666666666666666666666666666666";
    let request_id = 0x6666_6666_6666_6666_6666_6666_6666_6666;
    let x = (&X_TRACE_ID, uuid);
    let parent = (&TRACEPARENT, PARENT);
    for (pairs, expected) in [
        (vec![parent], Some(TRACE_ID)),
        (vec![x], Some(uuid_id)),
        (vec![x, parent, (&X_REQUEST_ID, request)], Some(TRACE_ID)),
        (vec![], None),
        (vec![(&X_REQUEST_ID, request)], Some(request_id)),
        (vec![(&X_REQUEST_ID, request), x], Some(uuid_id)),
        (
            vec![(&X_TRACE_ID, "no id"), (&X_REQUEST_ID, request)],
            Some(request_id),
        ),
        (vec![(&TRACEPARENT, "no parent"), x], Some(uuid_id)),
        (vec![parent, parent, x], Some(uuid_id)),
        (vec![(&TRACEPARENT, "no parent"), (&X_TRACE_ID, "")], None),
    ] {
        let context = TraceContext::extract(&headers(&pairs), &Dice::seeded(7));
        let fresh = TraceContext::extract(&HeaderMap::new(), &Dice::seeded(7));
        let expected = expected.unwrap_or(fresh.trace_id().number());
        assert_eq!(context.trace_id().number(), expected, "{pairs:?}");
        let named = pairs
            .first()
            .is_some_and(|pair| *pair == parent && pairs.len() == 1);
        assert_eq!(
            context.parent_id().is_some(),
            named || pairs.len() == 3 && pairs[0] == x
        );
        assert!(context.is_sampled());
    }
}

#[test]
fn what_vendors_and_applications_say_is_kept_as_it_came_and_bounded() {
    let dice = Dice::new();
    let state = "congo=t61rcWkgMzE, rojo=00f067aa0ba902b7";
    let found = headers(&[
        (&TRACEPARENT, PARENT),
        (&TRACESTATE, state),
        (&BAGGAGE, "a=1;p,b=2"),
    ]);
    let context = TraceContext::extract(&found, &dice).child(&dice);
    let mut sent = headers(&[(&TRACESTATE, "stale=1")]);
    context.inject(&mut sent);
    assert_eq!(sent[TRACESTATE], state);
    assert_eq!(sent[BAGGAGE], "a=1;p,b=2");
    assert_eq!(sent[TRACEPARENT], context.traceparent());

    // Of another trace, or of none.
    TraceContext::root(&dice).inject(&mut sent);
    assert!(!sent.contains_key(TRACESTATE));
    let orphan = headers(&[(&TRACEPARENT, "bad"), (&TRACESTATE, state)]);
    assert_eq!(TraceContext::extract(&orphan, &dice).tracestate(), None);

    let members = |count| {
        let member = |n| format!("key{n:03}=value-that-is-long");
        (0..count).map(member).collect::<Vec<_>>().join(", ")
    };
    for (name, sent, max, kept) in [(&TRACESTATE, 30, 512, 19), (&BAGGAGE, 100, 8_192, 100)] {
        let many = members(sent);
        let found = headers(&[(&TRACEPARENT, PARENT), (name, "first=1"), (name, &many)]);
        let context = TraceContext::extract(&found, &dice);
        let value = context.tracestate().or(context.baggage()).unwrap();
        let text = value.to_str().unwrap();
        assert!(text.len() <= max);
        assert!(text.starts_with("first=1,key000=value-that-is-long,"));
        assert_eq!(text.split(',').count(), kept + 1);
    }
    let huge = "x".repeat(10_000);
    let found = headers(&[
        (&TRACEPARENT, PARENT),
        (&TRACESTATE, &huge),
        (&BAGGAGE, &huge),
    ]);
    let context = TraceContext::extract(&found, &dice);
    assert_eq!((context.tracestate(), context.baggage()), (None, None));
}

#[test]
fn a_list_has_no_more_members_than_the_specification_allows() {
    let members = |count: usize| {
        let member = |n| format!("k{n}=1");
        (0..count).map(member).collect::<Vec<_>>()
    };
    let extract = |values: &[(&HeaderName, &str)]| {
        let found = headers(&[&[(&TRACEPARENT, PARENT)], values].concat());
        TraceContext::extract(&found, &Dice::new())
    };
    let count = |value: Option<&HeaderValue>| {
        value.map_or(0, |value| value.to_str().unwrap().split(',').count())
    };
    // Level 1, 3.3.1.1: one more makes the whole list invalid.
    for (sent, kept) in [(1, 1), (32, 32), (33, 0), (60, 0)] {
        let one = members(sent).join(",");
        let context = extract(&[(&TRACESTATE, &one)]);
        assert_eq!(count(context.tracestate()), kept, "{sent}");
        let (head, tail) = one.split_once(',').unwrap_or((&one, ""));
        let context = extract(&[(&TRACESTATE, head), (&TRACESTATE, tail)]);
        assert_eq!(count(context.tracestate()), kept, "{sent} in two");
    }
    // Empty members are allowed, and none.
    let gaps = members(32).join(",,  ,");
    assert!(extract(&[(&TRACESTATE, &gaps)]).tracestate().is_some());
    assert_eq!(extract(&[(&TRACESTATE, " ,,")]).tracestate(), None);
    // Of baggage the first ones go on.
    for (sent, kept) in [(64, 64), (180, 180), (181, 180), (1_000, 180)] {
        let all = members(sent).join(",");
        let context = extract(&[(&BAGGAGE, &all)]);
        assert_eq!(count(context.baggage()), kept, "{sent}");
        assert!(
            context
                .baggage()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("k0=1,k1=1")
        );
    }
}

#[test]
fn noise_is_read_without_panic_and_what_is_read_reads_back() {
    let dice = Dice::seeded(42);
    let mut read = 0;
    for _ in 0..50_000 {
        let mut bytes = PARENT.as_bytes().to_vec();
        for _ in 0..dice.below(4) {
            let place = dice.below(bytes.len() + 1);
            match dice.below(3) {
                0 => bytes.truncate(place),
                1 => bytes.insert(place, dice.number() as u8),
                _ if place < bytes.len() => bytes[place] = b"0fF-g\xff"[dice.below(6)],
                _ => {}
            }
        }
        let Ok(value) = HeaderValue::from_bytes(&bytes) else {
            continue;
        };
        let names = [TRACEPARENT, TRACESTATE, BAGGAGE, X_TRACE_ID, X_REQUEST_ID];
        let found = HeaderMap::from_iter(names.map(|name| (name, value.clone())));
        let context = TraceContext::extract(&found, &dice);
        if let Some(parent) = parse_parent(&bytes) {
            read += 1;
            assert_eq!(context.trace_id(), parent.trace_id);
            let again = parse_parent(context.traceparent().as_bytes()).unwrap();
            assert_eq!(again.trace_id, parent.trace_id);
            assert_eq!(again.sampled, parent.sampled);
        }
    }
    assert!((1_000..49_000).contains(&read), "{read}");
}
