//! One suite on both stores: what holds in memory holds on Redis, and the other way round.
//!
//! `streams` and `records` hold the meaning, `closing` what is left of a ledger, `pressure` what happens when memory is full or an
//! answer is lost, `alike` compares both over random calls. `redis` holds what only a real server
//! can do: die, be demoted, hold foreign data.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

#[path = "stores_conformance/alike.rs"]
mod alike;
#[path = "stores_conformance/closing.rs"]
mod closing;
#[path = "stores_conformance/pressure.rs"]
mod pressure;
#[path = "stores_conformance/records.rs"]
mod records;
#[path = "stores_conformance/redis.rs"]
mod redis;
#[path = "stores_conformance/store.rs"]
mod store;
#[path = "stores_conformance/streams.rs"]
mod streams;

/// Runs each case on a fresh store of either kind.
macro_rules! on_both {
    ($($module:ident: $($case:ident),+;)+) => {
        mod on_memory {
            $(mod $module {$(
                #[tokio::test]
                async fn $case() {
                    crate::$module::$case(&crate::store::Memory::start().await).await;
                }
            )+})+
        }
        mod on_redis {
            $(mod $module {$(
                #[tokio::test]
                async fn $case() {
                    crate::$module::$case(&crate::store::Redis::start().await).await;
                }
            )+})+
        }
    };
}

on_both! {
    streams: entries_keep_their_order, reading_replays_from_a_cursor, one_read_covers_several_streams,
        a_blocked_read_wakes_up, a_blocked_read_ends_empty, a_dropped_read_loses_nothing, a_busy_reader_lets_others_run,
        a_range_includes_both_ends, trimming_keeps_the_last_id, retention_drops_the_old_end,
        a_bounded_publish_is_busy, the_clock_is_the_one_of_the_ids;
    records: a_created_record_starts_empty, an_open_record_exists, a_commit_changes_everything_at_once,
        a_repeated_commit_is_a_duplicate, another_commit_at_that_version_conflicts, an_older_epoch_is_fenced,
        an_older_incarnation_is_fenced, nothing_is_created_by_acquire_or_commit, another_ledger_is_told,
        a_closed_ledger_stays_closed, a_full_stream_is_busy, a_commit_trims_what_was_read,
        many_fields_fit_one_commit, big_numbers_are_exact, the_register_keeps_the_newest,
        a_prefix_belongs_to_one_installation,
        commits_and_beats_tell_of_the_register, what_was_judged_by_an_older_register_is_not_stored, a_record_tells_when_its_owner_was_seen;
    pressure: full_memory_refuses_whole_and_trims_free_it, full_memory_lets_the_owner_come_back,
        full_memory_is_told_to_who_only_beats, a_lost_answer_is_found_as_duplicate, a_good_store_is_ready;
    closing: streams_of_its_own_go_with_the_ledger, nobody_is_nudged_without_an_open_ledger,
        an_attempt_is_not_taken_for_another;
}
