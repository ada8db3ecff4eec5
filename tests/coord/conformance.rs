//! The cases that every store must pass, over each store that there is.

use super::cases;
use std::sync::Arc;
use ziggurat::coord::{MemoryStore, Store};

macro_rules! conformance {
    ($($case:ident,)*) => {
        mod memory {
            use super::*;
            $(
                #[tokio::test(start_paused = true)]
                async fn $case() {
                    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
                    cases::$case(store).await;
                }
            )*
        }
    };
}

conformance! {
    a_transaction_takes_one_branch_at_one_revision,
    only_one_of_many_creates_a_key,
    the_past_is_read_at_its_revision,
    a_watch_from_the_past_delivers_everything_once,
    a_watch_from_now_delivers_what_comes,
    a_watch_waits_for_a_revision_to_come,
    a_watch_goes_on_where_another_one_ended,
    a_watch_sees_only_its_keys,
    events_hold_what_was_before_if_asked,
    a_lease_that_runs_out_wakes_a_watch,
    a_lease_kept_alive_stays,
    a_lease_revoked_takes_its_keys_at_one_revision,
    a_lease_that_is_gone_is_named,
    what_makes_no_sense_is_refused,
    an_answer_not_awaited_does_nothing,
}
