//! The one list of the cases, and the macro that makes tests of them.

/// Makes a test of each case of [`coord::conformance`](crate::coord::conformance): first what marks
/// a test, then what is done with a case.
///
/// ```
/// use std::sync::Arc;
/// use ziggurat::coord::MemoryStore;
///
/// ziggurat::store_conformance! {
///     #[tokio::test(start_paused = true)]
///     |case| case.run(Arc::new(MemoryStore::new())).await
/// }
/// ```
#[macro_export]
macro_rules! store_conformance {
    ($(#[$attribute:meta])+ |$case:ident| $body:expr) => {
        $crate::store_conformance! { @with tests {$(#[$attribute])+} $case {$body} }
    };
    (@with $then:ident $($rest:tt)*) => {
        $crate::store_conformance! {
            @$then [
                a_transaction_takes_one_branch_at_one_revision
                only_one_of_many_creates_a_key
                a_comparison_is_of_what_it_names
                the_past_is_read_at_its_revision
                a_range_is_filtered_sorted_and_cut
                pages_at_one_revision_are_what_was_there_then
                a_write_tells_what_was_before_if_asked
                a_watch_from_the_past_delivers_everything_once
                a_watch_from_now_delivers_what_comes
                a_watch_waits_for_a_revision_to_come
                a_watch_goes_on_where_another_one_ended
                a_watch_sees_only_its_keys
                events_hold_what_was_before_if_asked
                a_lease_that_runs_out_wakes_a_watch
                a_lease_kept_alive_stays
                a_lease_revoked_takes_its_keys_at_one_revision
                a_lease_that_is_abandoned_takes_its_keys
                a_lease_ends_after_its_last_word_if_there_is_any
                a_lease_that_is_gone_is_named
                what_makes_no_sense_is_refused
                an_answer_not_awaited_does_nothing
            ] $($rest)*
        }
    };
    (@cases [$($name:ident)*]) => {
        &[$(Case {
            name: stringify!($name),
            run: |store| Box::pin(cases::$name(store)),
        },)*]
    };
    (@tests [$($name:ident)*] $attributes:tt $case:ident $body:tt) => {
        $($crate::store_conformance! { @test $name $attributes $case $body })*
    };
    (@test $name:ident {$(#[$attribute:meta])+} $case:ident {$body:expr}) => {
        $(#[$attribute])+
        async fn $name() {
            let $case = $crate::coord::conformance::Case::named(stringify!($name));
            $body
        }
    };
}
