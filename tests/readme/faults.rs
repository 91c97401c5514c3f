//! What goes wrong outside, what happens then, and the tests that show it; README's table is made
//! of these rows. A test holds that each of the tests is there; it runs none.

/// A fault: what it is, what happens, and the tests, or the names of separate checks.
pub type Row = (&'static str, &'static str, &'static [&'static str]);

/// Each way for a target to be hostile, a row of a table.
const WAYS: &str = "whatever_a_target_does_it_has_its_word_and_costs_nobody_else";
/// The same in the simulator, and drawn by its seeds.
const WAYS_SIMULATED: &str = "each_way_comes_to_what_it_must";
/// Each way for a name server to be hostile.
const NAMES: &str = "whatever_a_name_server_does_it_has_its_word_and_costs_nobody_else";

pub const ROWS: &[Row] = &[
    (
        "The process is killed (kill -9), at any moment",
        "What was answered with 202 is there; nothing else is repeated than what was in flight.",
        &[
            "lasting: kill -9 again and again",
            "a_crash_at_any_moment_loses_nothing",
            "a_crash_while_the_work_is_read_back_loses_and_repeats_nothing",
        ],
    ),
    (
        "The machine loses its power",
        "The same.",
        &[
            "lasting: power cuts",
            "what_lasts_is_there_after_a_crash_at_any_step",
        ],
    ),
    (
        "The store's files are torn, garbage, or somebody else's",
        "It starts with what was committed, or refuses and says what to run.",
        &[
            "files_that_are_no_use_are_refused_with_what_to_do",
            "with_a_log_that_was_torn_between_runs_it_starts_with_what_was_committed_before",
            "a_store_that_cannot_be_had_is_one_clear_line",
        ],
    ),
    (
        "Bits turn over in the store",
        "The record is reported and put aside, all others are delivered.",
        &[
            "a_bit_that_turns_over_is_noticed_or_harmless",
            "everything_that_is_damaged_is_named",
        ],
    ),
    (
        "Writes and syncs fail",
        "503 and never a 202; deliveries and streams go on; intake opens again once the store is \
         well.",
        &[
            "lasting: syncs and writes that fail",
            "a_store_that_fails_refuses_until_it_is_well_and_deliveries_go_on",
            "a_failure_refuses_what_it_may_and_repeats_the_rest",
        ],
    ),
    (
        "A sync takes 2 to 30 seconds",
        "Only whoever waits for a 202 feels it.",
        &[
            "lasting: a sync that takes two seconds",
            "a_sync_of_thirty_seconds_holds_up_nothing_but_the_intake",
        ],
    ),
    (
        "The disk or a quota is full, read-only, or cannot be written at the start; the folder is \
         taken away",
        "503 with Retry-After for intake alone; at the start one clear line and an exit code.",
        &[
            "lasting: a disk that is full",
            "a_full_disk_stops_the_intake_alone",
            "lasting: syncs and writes that fail",
            "a_folder_that_is_taken_away_is_a_503_and_never_a_202_in_vain",
            "a_file_that_cannot_grow_is_a_503_and_never_a_202_in_vain",
            "a_store_that_cannot_be_had_is_one_clear_line",
        ],
    ),
    (
        "A second process wants the store",
        "It ends with 75 and says who has it.",
        &["a_second_process_is_told_who_has_the_store"],
    ),
    (
        "No descriptor is left",
        "Old connections are served, new ones are told 503; it recovers by itself.",
        &[
            "overload: out of descriptors",
            "overload: a failed accept is tried again",
            "without_descriptors_who_waits_is_told_and_the_rest_is_tried_again",
        ],
    ),
    (
        "Memory runs out",
        "503 with Retry-After at `--max-memory`; what was taken in arrives.",
        &[
            "when_memory_is_full_nothing_more_is_taken_and_everything_taken_arrives",
            "over_half_of_memory_bodies_live_in_the_store_alone",
            "streams: memory while 8 do not read 150 MiB",
            "memory: a flood in a cgroup of 64 MiB",
        ],
    ),
    (
        "The process is stopped, or its machine suspended, and goes on",
        "Calls in flight, lookups and clients lose no time by it; retries that were due meanwhile \
         are spread.",
        &[
            "hostile: the server is stopped for 5 seconds",
            "what_is_in_flight_loses_no_time",
            "retries_that_were_due_meanwhile_are_spread",
            "a_client_that_had_to_wait_is_not_taken_to_be_slow",
        ],
    ),
    (
        "A target's process is stopped",
        "Attempts time out and are tried again; other targets do not feel it.",
        &[
            "overload: a target that is stopped",
            "a_target_that_never_answers_is_given_up_in_time_and_costs_nobody_else",
        ],
    ),
    (
        "The clock is set, by an hour or a year",
        "Nothing waits longer than a backoff, nothing goes all at once.",
        &[
            "clock_jumps_move_no_attempt",
            "a_clock_set_back_by_a_year_delays_nothing_by_a_year",
            "a_clock_set_forward_by_a_year_loses_nothing_in_silence",
        ],
    ),
    (
        "A target refuses, cannot be reached, or never takes the connection",
        "`connect`: `refused`, `unreachable`, `connect_timeout` after 5 s; tried again.",
        &[
            "who_is_not_there_is_refused_and_called_again",
            "hostile: routes that lead nowhere",
            "hostile: a queue of connections that is full",
        ],
    ),
    (
        "A target resets: when it accepts, after the request, in its answer",
        "`protocol`, tried again; once a head that delivers is complete, it is delivered.",
        &[WAYS, WAYS_SIMULATED, "hostile: storms of resets"],
    ),
    (
        "A target closes a kept-alive connection just as it is used again",
        "One resend on a fresh connection, which counts as no attempt.",
        &[
            "a_line_that_dies_under_a_webhook_costs_one_uncounted_resend",
            "a_line_that_was_closed_meanwhile_is_not_used",
            "a_stale_line_costs_a_resend_that_is_not_counted",
        ],
    ),
    (
        "A target does not answer, or drips its head or its body",
        "`timeout`: one deadline for all of it. A body that drips decides nothing.",
        &[
            WAYS,
            "a_head_that_drips_for_ever_runs_out_of_time",
            "a_dripping_answer_meets_the_total_deadline",
        ],
    ),
    (
        "A target's head or body has no end",
        "`head_too_large` over 32 KiB, `too_many_fields` over 100; of a body so much is kept as \
         `capture` says, then the connection is closed.",
        &[
            WAYS,
            "a_flood_of_head_fails",
            "a_flood_of_body_is_cut_off_after_its_delivery",
        ],
    ),
    (
        "Interim answers without end",
        "Eight are put up with, then `too_many_1xx`.",
        &[WAYS, WAYS_SIMULATED],
    ),
    (
        "A target speaks something else: 101 unasked, a body with 204 or 304, HTTP/0.9, ICY, \
         HTTP/2, SSH, TLS on a plain port and the other way round",
        "`protocol` or `tls` with a word, tried again, the connection never used again.",
        &[
            WAYS,
            "another_language_is_a_failed_attempt",
            "a_server_that_is_something_else_is_told_apart",
        ],
    ),
    (
        "A target lies about its framing: two of them, chunk sizes that are none, 2^64-1, bytes \
         behind the end",
        "The status counts if the head was one; the connection is never used again, so that \
         nobody gets another's answer.",
        &[
            WAYS,
            "whoever_lies_about_framing_is_believed_once_and_never_reused",
            "a_lying_targets_line_is_never_used_again",
            "every_file_of_every_corpus_passes_its_check",
        ],
    ),
    (
        "A target sends elsewhere: 301, 302, 303, 307, 308",
        "Not followed unless `redirects` says so: a failure, with its Location; 303 delivers.",
        &[
            WAYS,
            "an_unfollowed_redirect_is_a_failure_with_its_location",
            "credentials_and_signatures_stay_with_their_origin",
        ],
    ),
    (
        "A target says 429 or 503 with Retry-After",
        "It is kept, for a day at most; what says nothing is ignored.",
        &[
            "a_wish_is_kept_for_a_day_at_most_and_garbage_is_none",
            "retry_after_is_honoured_clamped_and_ignored_when_it_says_nothing",
        ],
    ),
    (
        "Compressed answers",
        "None is asked for and none is unpacked.",
        &["every_seed_keeps_every_promise"],
    ),
    (
        "TLS: stalls, alerts, certificates that do not hold, SHA-1 and versions before 1.2, chains \
         without end, ends that are not announced",
        "`tls` with a word; a certificate that does not hold is tried again after 5 minutes at the \
         earliest.",
        &[
            "each_flaw_of_a_certificate_has_its_word_and_waits_five_minutes",
            "hostile: outdated certificates",
            "a_server_that_is_something_else_is_told_apart",
            "a_handshake_that_stands_still_meets_the_deadline",
            "a_message_without_end_is_not_waited_for",
            "an_end_that_is_not_announced_takes_nothing_from_an_answer",
        ],
    ),
    (
        "A name server fails, is silent, lies, loops, floods; resolv.conf is not there",
        "`dns` with a word, within 5 s, and the loop never waits; what does not answer the \
         question is passed over; each address is vetted.",
        &[
            NAMES,
            "every_name_that_has_an_address_is_found_however_odd_the_servers",
            "silent_servers_are_given_up_after_five_seconds",
            "ids_are_random_and_every_question_has_its_own_socket",
            "of_a_name_with_public_and_closed_addresses_only_the_public_one_is_called",
        ],
    ),
    (
        "Clients that drip a head or a body, or do not read",
        "408 after 10 s for a head; for a body after 10 s and one more for each 256 bytes, 60 s at \
         most; 30 s for a write; others do not feel them.",
        &[
            "a_head_that_is_not_done_in_time_is_answered_with_408",
            "a_body_that_is_not_done_in_time_is_answered_with_408_and_forgotten",
            "whoever_does_not_read_is_hung_up_on",
            "overload: 1,000 clients that drip",
            "a_body_that_trickles_is_ended_and_one_that_flows_is_not",
            "a_body_has_time_as_it_comes",
            "storms: 5,000 clients that trickle",
            "storms: slowhttptest",
        ],
    ),
    (
        "Clients that connect and close, or reset, as fast as they can",
        "No descriptor, no memory and no work is left behind; of one event the log takes 200 lines \
         in 10 s.",
        &[
            "hostile: storms of resets",
            "storms: connections that come and go",
            "clients_that_come_and_go_leave_nothing_behind",
            "a_flood_of_failures_is_no_flood_of_lines",
        ],
    ),
    (
        "A client's machine or its road is gone, without a word",
        "Its connection is closed when twice `--stall-timeout` nothing of what was sent has been \
         acknowledged; another value at SIGHUP is for those that come after it.",
        &["hostile: clients that vanish"],
    ),
    (
        "Clients that ask for ever and never read",
        "They are read no further while 64 KiB wait for them.",
        &[
            "a_client_that_asks_for_ever_and_never_reads_is_paused_until_it_does",
            "a_client_that_floods_and_does_not_read_hurts_only_itself",
        ],
    ),
    (
        "A hundred thousand topics, names without end",
        "A topic that nobody reads costs nothing in the end; over a bound 429 or 503.",
        &[
            "streams: 100,000 topics that nobody reads",
            "topics_that_nobody_reads_stay_within_the_bound_and_cost_nothing_in_the_end",
            "subscriptions_have_a_bound_and_renewals_pass",
        ],
    ),
    (
        "A callback of the hub redirects, says something else, has no end, or is Hookah itself",
        "It is denied; a loop of webhooks ends after four hops.",
        &[
            "a_no_is_a_no_however_much_is_said",
            "a_callback_or_topic_at_the_hub_itself_is_refused",
            "traceparent_passes_and_hops_are_counted",
        ],
    ),
    (
        "TLS that clients do not finish, or finish badly",
        "5 s for a handshake, so many of them in a turn; a line that sends too much before it says \
         anything is closed.",
        &[
            "doors: a handshake that never comes",
            "doors: a storm of 1,000 handshakes",
            "what_is_no_tls_is_turned_away_with_a_word",
            "whoever_reads_late_gets_an_answer_to_its_end",
        ],
    ),
    (
        "A stop while everybody is busy",
        "What is in flight is finished, and nobody is cut off before `--drain-timeout`.",
        &[
            "overload: a stop under load",
            "a_drain_refuses_the_new_and_finishes_the_begun",
            "deliveries_under_way_are_finished_and_those_in_line_behind_them_too",
            "with_a_store_that_keeps_them_those_in_line_are_left_to_the_next_process",
            "a_drain_waits_a_second_for_the_last_request_of_who_has_just_been_here",
        ],
    ),
    (
        "The process is replaced under load",
        "No connection is refused or reset; 503 with `Retry-After: 1` at most until the old \
         process has released the store; nothing is lost, and streams go on without a gap.",
        &[
            "upgrade: under wrk nobody is refused",
            "a_process_is_replaced_under_load_and_nobody_is_refused",
            "whoever_waits_for_the_store_serves_what_needs_none",
            "a_store_that_another_process_has_is_waited_for_and_all_else_is_served",
        ],
    ),
    (
        "The loop is stuck",
        "The service manager hears no sign of life any more and starts the process anew.",
        &["the_unit_of_the_readme_starts_reloads_lives_and_stops"],
    ),
];
