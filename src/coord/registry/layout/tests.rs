use super::*;
use std::num::NonZeroU32;

const GOCHAT_KEY: &str = "/services/im-logic/im-logic-instance-01";
const GOCHAT_VALUE: &str = r#"{"id":"im-logic-instance-01","name":"im-logic","address":"10.0.1.10","port":8080,"metadata":{"region":"us-east-1"}}"#;

fn rich(service: &str) -> Instance {
    let instance = Instance::new(service, "a", "::1", 80).unwrap();
    let instance = instance.with_weight(NonZeroU32::new(2).unwrap());
    instance
        .with_zone("eu-1")
        .unwrap()
        .with_metadata("version", "7")
}

fn text(layout: KeyLayout, instance: &Instance) -> String {
    String::from_utf8(layout.write(instance).unwrap().to_vec()).unwrap()
}

fn read(layout: KeyLayout, key: &str, value: &str) -> Option<Instance> {
    match layout.read("im-logic", key.as_bytes(), value.as_bytes()) {
        Entry::Instance(instance) => Some(instance),
        Entry::Left | Entry::Bad(_) | Entry::Foreign => None,
    }
}

#[test]
fn a_go_peer_reads_and_writes_the_same_bytes() {
    let instance = Instance::new("im-logic", "im-logic-instance-01", "10.0.1.10", 8080).unwrap();
    let instance = instance.with_metadata("region", "us-east-1");
    let layout = KeyLayout::Gochat;
    assert_eq!(layout.key(&instance).unwrap(), GOCHAT_KEY);
    assert_eq!(text(layout, &instance), GOCHAT_VALUE);
    assert_eq!(read(layout, GOCHAT_KEY, GOCHAT_VALUE), Some(instance));

    let plain = Instance::new("im-logic", "b", "10.0.1.10", 80).unwrap();
    let json = r#"{"id":"b","name":"im-logic","address":"10.0.1.10","port":80}"#;
    assert_eq!(text(layout, &plain), json);
}

#[test]
fn metadata_of_naming_is_null_or_one_string() {
    let layout = KeyLayout::Naming;
    let plain = Instance::new("im-logic", "b", "10.0.1.10", 80).unwrap();
    assert_eq!(layout.key(&plain).unwrap(), "im-logic/b");
    let json = r#"{"Op":0,"Addr":"10.0.1.10:80","Metadata":null}"#;
    assert_eq!(text(layout, &plain), json);
    let json = r#"{"Op":0,"Addr":"[::1]:80","Metadata":"{\"id\":\"a\",\"weight\":2,\"zone\":\"eu-1\",\"metadata\":{\"version\":\"7\"}}"}"#;
    assert_eq!(text(layout, &rich("im-logic")), json);
}

#[test]
fn what_is_written_is_read_again() {
    for layout in [KeyLayout::Naming, KeyLayout::Gochat] {
        let plain = Instance::new("im-logic", "b:1", "host.example", 1).unwrap();
        for instance in [rich("im-logic"), plain] {
            let key = layout.key(&instance).unwrap();
            assert_eq!(read(layout, &key, &text(layout, &instance)), Some(instance));
        }
    }
}

#[test]
fn metadata_is_read_from_whatever_a_peer_wrote() {
    let metadata = |json: &str| {
        let value = format!(r#"{{"Op":0,"Addr":"h:80","Metadata":{json}}}"#);
        read(KeyLayout::Naming, "im-logic/x", &value).map(|x| x.metadata().clone())
    };
    let one = |key: &str, value: &str| Some([(key.to_owned(), value.to_owned())].into());
    assert_eq!(metadata("null"), Some([].into()));
    assert_eq!(metadata(r#""""#), Some([].into()));
    assert_eq!(metadata(r#""blue""#), one("metadata", "blue"));
    assert_eq!(metadata("7"), one("metadata", "7"));
    assert_eq!(
        metadata(r#"{"region":"eu","gone":null}"#),
        one("region", "eu")
    );
    assert_eq!(
        metadata(r#"{"metadata":{"n":1},"weight":0,"zone":""}"#),
        one("n", "1")
    );
    let bare = read(KeyLayout::Naming, "im-logic/x", r#"{"Addr":"h:80"}"#);
    assert_eq!(bare.unwrap().authority(), "h:80");
}

#[test]
fn a_goodbye_is_a_delete_of_naming_and_nothing_in_gochats_layout() {
    let layout = KeyLayout::Naming;
    let plain = Instance::new("im-logic", "b", "10.0.1.10", 80).unwrap();
    let goodbye = layout.write_goodbye(&plain).unwrap().unwrap();
    assert_eq!(goodbye, r#"{"Op":1,"Addr":"10.0.1.10:80","Metadata":null}"#);
    for goodbye in [&*goodbye, br#"{"Op":1,"Addr":""}"#] {
        let entry = layout.read("im-logic", b"im-logic/b", goodbye);
        assert!(matches!(entry, Entry::Left), "{entry:?}");
    }
    for op in ["0", "2", "-1", "\"1\"", "null", "[1]"] {
        let value = format!(r#"{{"Op":{op},"Addr":"h:80"}}"#);
        assert!(read(layout, "im-logic/b", &value).is_some(), "{op}");
    }
    assert!(matches!(KeyLayout::Gochat.write_goodbye(&plain), Ok(None)));
}

#[test]
fn nonsense_is_bad_and_never_a_panic() {
    let bad = |layout: KeyLayout, value: &str| {
        let key = layout.prefix("im-logic").unwrap() + "x";
        matches!(
            layout.read("im-logic", key.as_bytes(), value.as_bytes()),
            Entry::Bad(_)
        )
    };
    let deep = "[".repeat(50_000);
    let long = format!(
        r#"{{"Addr":"h:80","Metadata":"{}"}}"#,
        "x".repeat(MAX_VALUE)
    );
    for value in ["", "null", "[]", "\0", "{", &deep, &long] {
        assert!(
            bad(KeyLayout::Naming, value) && bad(KeyLayout::Gochat, value),
            "{value:.20}"
        );
    }
    for address in [
        "",
        "h",
        ":80",
        "h:",
        "h:0",
        "h:65536",
        "h:-1",
        "::1:80",
        "http://h:80",
    ] {
        let value = format!(r#"{{"Op":0,"Addr":"{address}"}}"#);
        assert!(bad(KeyLayout::Naming, &value), "{address}");
    }
    for value in [
        r#"{"id":"x","name":"im-logic","address":":8080","port":8080}"#,
        r#"{"id":"x","name":"im-logic","address":"h","port":65536}"#,
        r#"{"id":"x","name":"im-logic","address":"h","port":80,"metadata":7}"#,
    ] {
        assert!(bad(KeyLayout::Gochat, value), "{value}");
    }
}

#[test]
fn a_name_cannot_leave_its_prefix() {
    for name in [
        "", ".", "..", "a/../b", "/a", "a/", "a//b", "a b", "a\n", "a\0",
    ] {
        let error = KeyLayout::Naming.prefix(name).unwrap_err();
        let StoreError::InvalidArgument { field, value, .. } = error else {
            panic!("{error}");
        };
        assert_eq!((field, value), ("service", name.escape_debug().to_string()));
    }
    for id in [".", "..", "a/b", "../b", "/"] {
        let instance = Instance::new("echo", id, "h", 1).unwrap();
        let error = KeyLayout::Gochat.key(&instance).unwrap_err();
        let StoreError::InvalidArgument { field, value, .. } = error else {
            panic!("{error}");
        };
        assert_eq!((field, &*value), ("id", id));
    }
}

#[test]
fn a_service_whose_name_goes_on_is_another_one() {
    let entry = KeyLayout::Naming.read("a", b"a/b/x", br#"{"Op":0,"Addr":"h:80"}"#);
    assert!(matches!(entry, Entry::Foreign));
    assert!(KeyLayout::Naming.id("a", b"ab/x").is_none());
    assert_eq!(KeyLayout::Naming.id("a/b", b"a/b/x"), Some("x"));
}
