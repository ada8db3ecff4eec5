//! What is asked without changing anything.

use super::super::{chance::Chance, expect, model::Model};
use crate::coord::store::Store;
use ziggurat_core::clock;

/// A range of some keys, now or in the past.
pub(super) async fn range(store: &dyn Store, model: &Model, chance: &Chance) {
    let range = chance.range(model);
    let found = store.range(range.clone()).await;
    let found = expect::answered(format_args!("{range:?}"), found);
    expect::equal(
        format_args!("{range:?}: keys, whether there are more, and their count"),
        (found.kvs, found.more, found.count),
        model.range(&range),
    );
    let revision = model.revision();
    expect::equal("the revision of a range", found.revision, revision);
}

/// The status of all leases that have not ended.
pub(super) async fn leases(store: &dyn Store, model: &Model, exact: bool) {
    for (lease, (granted, end)) in &model.leases {
        let status = store.time_to_live(*lease).await;
        let status = expect::answered("the status of a lease", status);
        let attached = model.now().values().filter(|kv| kv.lease == *lease);
        let attached: Vec<_> = attached.map(|kv| kv.key.clone()).collect();
        expect::equal(
            format_args!("the time granted to {lease:?}, and its keys"),
            (status.granted, status.keys),
            (*granted, attached),
        );
        if exact {
            let left = *end - clock::now();
            expect::equal("what is left of a lease", status.remaining, left);
        }
    }
}
