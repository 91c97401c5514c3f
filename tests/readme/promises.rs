//! What the server promises, each with the tests that show it; README's table is made of these
//! rows. A test holds that each of the tests is there; it runs none.

use std::fs;
use std::path::Path;

/// A promise: its number, what it says, and the tests, or the names of separate checks.
pub type Row = (u32, &'static str, &'static [&'static str]);

pub const ROWS: &[Row] = &[
    (
        1,
        "A 202 is sent once the message is on disk and synced: it survives kill -9, a crash of \
         the kernel and a loss of power. Everything accepted in one turn shares a commit.",
        &[
            "what_was_answered_with_202_is_there_after_kill_9",
            "what_a_202_was_sent_for_survives_a_crash_right_after_it",
            "lasting: kill -9 again and again",
            "lasting: power cuts",
        ],
    ),
    (
        2,
        "A write or a sync that fails is never acknowledged: whoever waits gets 503, intake \
         stops, `/health` is 503, deliveries and streams go on. Intake opens again once the store \
         was reopened and looked at, and has all that it was given.",
        &[
            "a_store_that_fails_refuses_until_it_is_well_and_deliveries_go_on",
            "a_failure_refuses_what_it_may_and_repeats_the_rest",
            "lasting: syncs and writes that fail",
            "lasting: a sync that takes two seconds",
        ],
    ),
    (
        3,
        "At least once: each delivery is attempted until it is delivered, has failed or has \
         expired, and that is recorded. It goes out twice only if the process ended between the \
         target's answer and its record, which is synced within a tenth of a second.",
        &[
            "only_a_crash_between_the_answer_and_its_record_repeats_a_delivery",
            "a_clean_end_repeats_nothing",
            "a_clean_stop_in_the_middle_repeats_nothing",
            "a_crash_at_any_moment_loses_nothing",
        ],
    ),
    (
        4,
        "The `webhook-id` of a message stays the same over retries and restarts. The same \
         `Idempotency-Key` within 24 hours, also over a restart, is answered with the first id \
         and takes in nothing; with another body or target it is 422.",
        &[
            "ids_go_on_after_a_restart_even_on_a_clock_that_went_back",
            "a_request_that_is_sent_twice_is_taken_once",
            "a_key_holds_over_kill_9",
        ],
    ),
    (
        5,
        "No order between targets, and none between messages to one target, but where you ask \
         for it: `queue` is first in, first out, over failures and restarts.",
        &[
            "a_queue_keeps_its_order_over_failures_and_targets",
            "a_queue_goes_on_in_its_order_after_crashes",
            "a_queue_goes_on_in_its_order_after_kill_9",
        ],
    ),
    (
        6,
        "A restart starts no storm: what is overdue begins at `--recovery-rate`, and a target's \
         `Retry-After` is kept.",
        &[
            "fifty_thousand_overdue_messages_begin_at_their_pace",
            "overdue_work_begins_at_the_pace_of_recovery",
            "a_retry_that_is_far_away_comes_on_time_after_a_crash",
        ],
    ),
    (
        7,
        "A full disk is an overload and no crash: intake is 503 while less than `--min-free` is \
         left, deliveries go on.",
        &[
            "a_full_disk_stops_the_intake_alone",
            "too_little_space_stops_intake_and_nothing_else",
            "a_file_that_cannot_grow_is_a_503_and_never_a_202_in_vain",
        ],
    ),
    (
        8,
        "A clock that is set harms nothing while the server runs. Between two processes it delays \
         a retry by no more than a day; what expires goes by the wall clock.",
        &[
            "a_clock_that_is_set_while_the_server_runs_changes_no_wait",
            "a_clock_that_is_set_between_two_processes_delays_by_no_more_than_a_backoff",
            "a_clock_set_back_by_a_year_delays_nothing_by_a_year",
        ],
    ),
    (
        9,
        "What waits costs little: a million deliveries hold less than 200 bytes of memory each, \
         and the server is ready within five seconds.",
        &[
            "lasting: a million that wait",
            "a_far_delay_holds_no_memory_and_is_delivered_on_time",
            "over_half_of_memory_bodies_live_in_the_store_alone",
        ],
    ),
    (
        10,
        "Corruption is noticed: every record carries a CRC32C. One that is damaged is reported \
         and put aside, all others are delivered; a file that cannot be trusted is refused with \
         what to run, and `hookah check` tells all.",
        &[
            "a_bit_that_turns_over_is_noticed_or_harmless",
            "everything_that_is_damaged_is_named",
            "files_that_are_no_use_are_refused_with_what_to_do",
        ],
    ),
    (
        11,
        "One process has a store: a second one ends with 75 and says who has it.",
        &["a_second_process_is_told_who_has_the_store"],
    ),
    (
        12,
        "Whoever asked for a callback is told once, with the delivery's end in one commit, so \
         that a crash loses and doubles neither.",
        &[
            "the_end_and_what_tells_of_it_are_handed_over_in_one_piece",
            "whoever_asked_is_told_once_of_all_attempts",
            "a_store_that_fails_loses_no_callback",
            "callbacks_and_errbacks_go_on_after_kill_9",
        ],
    ),
    (
        13,
        "Subscriptions, what streams may read back and the history last as messages do: a reader \
         that comes back with its `Last-Event-ID` misses nothing of what is kept and gets nothing \
         twice.",
        &[
            "a_subscription_outlives_kill_9",
            "what_was_published_before_kill_9_is_distributed_after_it",
            "who_comes_back_after_kill_9_misses_nothing_and_gets_nothing_twice",
            "what_has_happened_is_there_to_see_after_kill_9",
        ],
    ),
];

/// Where the tests stand.
const PLACES: &[&str] = &["tests", "src", "benches"];

/// Those of the names that no file has.
pub fn missing(names: impl Iterator<Item = &'static str>) -> Vec<String> {
    let mut texts = Vec::new();
    for place in PLACES {
        read(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(place),
            &mut texts,
        );
    }
    let is_missing = |name: &&str| {
        // A check's name is a text, a test's name that of a function.
        let needle = match name.contains(' ') {
            true => format!("\"{name}\""),
            false => format!("fn {name}("),
        };
        !texts.iter().any(|text| text.contains(&needle))
    };
    let missing = names.filter(is_missing);
    missing.map(str::to_owned).collect()
}

fn read(dir: &Path, texts: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            read(&path, texts);
        } else if !dir.ends_with("tests/readme") {
            texts.extend(fs::read_to_string(&path));
        }
    }
}
