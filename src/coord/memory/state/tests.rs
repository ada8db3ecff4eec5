use super::*;
use crate::coord::store::{Keys, Relation, SortBy, SortOrder};
use std::time::Duration;
use ziggurat_core::clock;

const SECOND: Duration = Duration::from_secs(1);

fn state() -> State {
    State::new(NonZeroUsize::new(100).unwrap(), Leases::default())
}

fn put(state: &mut State, put: Put) -> i64 {
    state.txn(Txn::new().then([put])).unwrap().revision
}

fn keys(state: &State, range: Range) -> Vec<String> {
    let found = state.range(&range).unwrap().kvs;
    found
        .iter()
        .map(|kv| String::from_utf8(kv.key.to_vec()).unwrap())
        .collect()
}

fn kv(state: &State, key: &'static str) -> Option<(i64, i64, i64)> {
    let found = state.range(&Range::one(key)).unwrap().kvs.pop()?;
    Some((found.create_revision, found.mod_revision, found.version))
}

#[test]
fn revisions_and_versions_count_as_in_etcd() {
    let mut state = state();
    assert_eq!(state.revision(), 1);
    assert_eq!(put(&mut state, Put::new("a", "1")), 2);
    assert_eq!(put(&mut state, Put::new("b", "1")), 3);
    assert_eq!(put(&mut state, Put::new("a", "2")), 4);
    assert_eq!(kv(&state, "a"), Some((2, 4, 2)));
    let nothing = state.txn(Txn::new().then([Delete::one("c")])).unwrap();
    assert_eq!((nothing.revision, state.revision()), (4, 4));
    state.txn(Txn::new().then([Delete::one("a")])).unwrap();
    assert_eq!(kv(&state, "a"), None);
    put(&mut state, Put::new("a", "3"));
    assert_eq!(kv(&state, "a"), Some((6, 6, 1)));
}

#[test]
fn a_transaction_is_one_change_and_sees_its_own_writes() {
    let mut state = state();
    put(&mut state, Put::new("a", "old"));
    let range = || Op::from(Range::prefix(""));
    let txn = Txn::new().then([range(), Put::new("b", "1").into(), range()]);
    let txn = txn.then([
        Op::from(Delete::one("a").prev_kv()),
        range(),
        Range::one("a").at(2).into(),
    ]);
    let done = state.txn(txn).unwrap();
    let seen: Vec<_> = done
        .responses
        .iter()
        .map(|response| match response {
            OpResponse::Range(range) => (range.kvs.len(), range.revision),
            OpResponse::Put(put) => (0, put.revision),
            OpResponse::Delete(delete) => (delete.prev.len(), delete.revision),
        })
        .collect();
    assert_eq!(seen, [(1, 2), (0, 3), (2, 3), (1, 3), (1, 3), (1, 3)]);
    assert_eq!((done.revision, state.revision()), (3, 3));
}

#[test]
fn comparisons_hold_as_in_etcd() {
    let mut state = state();
    let lease = state.leases.grant(SECOND, clock::now()).unwrap();
    put(&mut state, Put::new("a", "m"));
    put(&mut state, Put::new("a", "m").lease(lease));
    put(&mut state, Put::new("b", "n"));
    let mut holds = |keys: &Keys, target: Target| {
        [
            Relation::Less,
            Relation::Equal,
            Relation::Greater,
            Relation::NotEqual,
        ]
        .map(|relation| {
            let compare = Compare::new(keys.clone(), relation, target.clone());
            state.txn(Txn::new().when([compare])).unwrap().succeeded
        })
    };
    let (less, equal) = ([true, false, false, true], [false, true, false, false]);
    let greater = [false, false, true, true];
    let a = Keys::one("a");
    for (target, stand) in [
        (Target::Version(3), less),
        (Target::Version(2), equal),
        (Target::CreateRevision(1), greater),
        (Target::ModRevision(3), equal),
        (Target::Value("l".into()), greater),
        (Target::Value("m".into()), equal),
        (Target::Lease(lease), equal),
        (Target::Lease(LeaseId::NONE), greater),
    ] {
        assert_eq!(holds(&a, target.clone()), stand, "{target:?}");
    }
    let none = Keys::one("c");
    assert_eq!(holds(&none, Target::CreateRevision(0)), equal);
    assert_eq!(holds(&none, Target::Version(1)), less);
    // Not even "different" holds for a value that is not there.
    assert_eq!(holds(&none, Target::Value("".into())), [false; 4]);
    // Of several, it must hold for each.
    assert_eq!(holds(&Keys::prefix(""), Target::Version(2)), [false; 4]);
    assert_eq!(holds(&Keys::prefix(""), Target::Version(3)), less);
}

#[test]
fn what_etcd_refuses_changes_nothing() {
    let mut state = state();
    put(&mut state, Put::new("a", "1"));
    let put = |key| Op::from(Put::new(key, "x"));
    let lost = Op::from(Put::new("z", "").lease(LeaseId(7)));
    let big = Put::new("k", vec![0; (3 << 19) + 1]);
    for (txn, field) in [
        (Txn::new().then([put("b"), put("b")]), "key"),
        (
            Txn::new().then([put("b"), Delete::new(Keys::prefix("")).into()]),
            "key",
        ),
        (Txn::new().otherwise([put("b"), put("b")]), "key"),
        (Txn::new().then([put("b"), put("")]), "key"),
        (Txn::new().then([put("b"), Range::one("").into()]), "key"),
        (
            Txn::new().when([Compare::absent("")]).then([put("b")]),
            "key",
        ),
        (
            Txn::new().then((0..129).map(|n| Put::new(format!("{n}"), ""))),
            "operations",
        ),
        (Txn::new().then([big]), "bytes"),
        (Txn::new().then([put("b"), lost]), "lease"),
        (
            Txn::new().then([put("b"), Range::one("a").at(9).into()]),
            "future",
        ),
    ] {
        let found = match state.txn(txn).unwrap_err() {
            StoreError::InvalidArgument { field, .. } => field,
            StoreError::LeaseNotFound { .. } => "lease",
            StoreError::FutureRevision { .. } => "future",
            other => panic!("{other}"),
        };
        assert_eq!((found, state.revision()), (field, 2));
    }
    assert_eq!(keys(&state, Range::prefix("")), ["a"]);
}

#[test]
fn a_range_is_filtered_then_sorted_then_cut() {
    let mut state = state();
    for key in ["c", "a", "d", "b"] {
        put(&mut state, Put::new(key, key));
    }
    put(&mut state, Put::new("a", "z"));
    let all = || Range::prefix("");
    assert_eq!(keys(&state, all()), ["a", "b", "c", "d"]);
    let newest = all().sort(SortBy::CreateRevision, SortOrder::Descending);
    assert_eq!(keys(&state, newest.clone().limit(2)), ["b", "d"]);
    assert_eq!(keys(&state, newest.max_create_revision(3).limit(1)), ["a"]);
    let by_value = all().sort(SortBy::Value, SortOrder::Descending);
    assert_eq!(keys(&state, by_value), ["a", "d", "c", "b"]);
    let cut = state.range(&all().limit(3).keys_only()).unwrap();
    assert_eq!(
        (cut.more, cut.count, cut.kvs.len(), cut.revision),
        (true, 4, 3, 6)
    );
    assert!(cut.kvs.iter().all(|kv| kv.value.is_empty()));
    assert!(!state.range(&all().limit(4)).unwrap().more);
}

#[test]
fn the_past_can_be_read_until_it_is_compacted() {
    let mut state = state();
    put(&mut state, Put::new("a", "1"));
    put(&mut state, Put::new("b", "1"));
    state.txn(Txn::new().then([Delete::one("a")])).unwrap();
    put(&mut state, Put::new("b", "2"));
    let at = |state: &State, revision| keys(state, Range::prefix("").at(revision));
    assert_eq!(at(&state, 1), [""; 0]);
    assert_eq!(at(&state, 2), ["a"]);
    assert_eq!(at(&state, 3), ["a", "b"]);
    assert_eq!(at(&state, 4), ["b"]);
    assert_eq!(
        &state.range(&Range::one("b").at(4)).unwrap().kvs[0].value[..],
        b"1"
    );

    state.compact(4).unwrap();
    assert_eq!(at(&state, 4), ["b"]);
    let gone = StoreError::Compacted {
        requested: 3,
        at: 4,
    };
    assert_eq!(state.range(&Range::one("b").at(3)), Err(gone));
    assert!(matches!(
        state.compact(4),
        Err(StoreError::Compacted { .. })
    ));
    assert!(matches!(
        state.compact(9),
        Err(StoreError::FutureRevision { .. })
    ));
    state.compact(5).unwrap();
    assert_eq!(put(&mut state, Put::new("c", "")), 6);
    assert_eq!(
        state
            .history()
            .since(5)
            .map(|(revision, _)| revision)
            .collect::<Vec<_>>(),
        [5, 6]
    );
}

#[test]
fn history_stays_in_its_bounds_and_says_so() {
    let mut state = State::new(NonZeroUsize::new(3).unwrap(), Leases::default());
    for n in 0..10 {
        put(&mut state, Put::new(format!("{n}"), ""));
    }
    assert_eq!(state.history().compacted(), 9);
    assert_eq!(state.history().since(9).count(), 3);
    assert!(matches!(
        state.range(&Range::one("1").at(8)),
        Err(StoreError::Compacted { .. })
    ));
    assert_eq!(state.range(&Range::prefix("").at(9)).unwrap().count, 8);
}

#[test]
fn a_lease_takes_all_its_keys_along_at_one_revision() {
    let mut state = state();
    let now = clock::now();
    let short = state.leases.grant(SECOND, now).unwrap();
    let long = state.leases.grant(2 * SECOND, now).unwrap();
    for key in ["a", "b", "c", "d"] {
        put(&mut state, Put::new(key, "").lease(short));
    }
    // Written anew, a key belongs to whom the last writer said, or to nobody.
    put(&mut state, Put::new("c", "").lease(long));
    put(&mut state, Put::new("d", ""));
    assert_eq!(state.leases.status(short, now).unwrap().keys, ["a", "b"]);

    state.expire(now + SECOND - Duration::from_nanos(1));
    assert_eq!(state.revision(), 7);
    state.expire(now + SECOND);
    assert_eq!(
        (state.revision(), keys(&state, Range::prefix(""))),
        (8, vec!["c".into(), "d".into()])
    );
    let events: Vec<_> = state
        .history()
        .since(8)
        .flat_map(|(_, events)| events)
        .collect();
    assert!(events.len() == 2 && events.iter().all(|event| event.kv.mod_revision == 8));
    assert!(matches!(
        state.leases.keep_alive(short, now),
        Err(StoreError::LeaseNotFound { .. })
    ));

    assert_eq!(state.leases.keep_alive(long, now + SECOND), Ok(2 * SECOND));
    state.expire(now + 2 * SECOND);
    assert_eq!(keys(&state, Range::prefix("")), ["c", "d"]);
    state.revoke(long).unwrap();
    assert_eq!(
        (state.revision(), keys(&state, Range::prefix(""))),
        (9, vec!["d".into()])
    );
    assert!(matches!(
        state.revoke(long),
        Err(StoreError::LeaseNotFound { .. })
    ));
}

#[test]
fn a_lease_without_time_is_refused() {
    let mut leases = Leases::default();
    for ttl in [Duration::ZERO, Duration::MAX] {
        let error = leases.grant(ttl, clock::now()).unwrap_err();
        assert!(matches!(
            error,
            StoreError::InvalidArgument { field: "ttl", .. }
        ));
    }
    assert!(leases.grant(Duration::from_millis(1), clock::now()).is_ok());
}
