//! Which test shows which row of the specification's checklist, and which of its decisions. A test
//! holds that each of them is there; it runs none.

use std::fs;
use std::path::Path;

/// The checklist of a hub's duties (A1 to A8), row by row. Those without a test are liberties that
/// this hub does not take: a redirect to another hub (9), fields of its own that it wants (18), a
/// Location with a denial (24), several topics in one feed (63).
const ROWS: &[&[&str]] = &[
    // 1
    &["row_1_a_form_with_callback_mode_and_topic_is_a_request"],
    // 2
    &["row_2_the_mode_is_literal"],
    // 3
    &["row_3_each_half_stands_under_its_own_name_too"],
    // 4
    &[
        "rows_4_and_32_a_request_is_taken_and_the_subscriber_asked_at_once",
        "a_websub_subscriber_that_insists_on_202",
    ],
    // 5
    &["the_publisher_is_asked_and_its_no_is_told"],
    // 6
    &["what_is_wrong_is_said_in_plain_text_and_nobody_is_called"],
    // 7
    &["what_is_wrong_is_said_in_plain_text_and_nobody_is_called"],
    // 8
    &[
        "topics_that_the_operator_does_not_want_are_refused",
        "a_callback_or_topic_at_the_hub_itself_is_refused",
    ],
    // 9
    &[],
    // 10
    &["row_10_what_is_unknown_is_passed_over"],
    // 11
    &["row_11_and_c15_a_secret_is_raw_bytes_and_fewer_than_200"],
    // 12
    &["row_12_and_c8_a_lease_is_clamped_and_never_refused_for_its_size"],
    // 13
    &["row_13_an_unsubscribe_ignores_lease_and_secret"],
    // 14
    &["c6_a_fragment_is_refused"],
    // 15
    &["row_15_and_c5_spellings_of_one_topic_have_one_key"],
    // 16
    &["points_20_and_21_what_is_not_for_this_hub_is_denied_if_that_is_asked_for"],
    // 17
    &["point_5_another_spelling_of_the_topic_is_the_same_subscription"],
    // 18
    &[],
    // 19
    &["point_22_the_publisher_is_asked_first"],
    // 20
    &["rows_25_to_28_the_get_says_what_it_must"],
    // 21
    &[
        "rows_21_and_22_a_publishers_no_is_told_with_its_reason",
        "the_publisher_is_asked_and_its_no_is_told",
    ],
    // 22
    &["the_operator_removes_a_topic"],
    // 23
    &["row_23_a_failed_verification_is_no_denial"],
    // 24
    &[],
    // 25
    &[
        "row_25_a_callback_is_called_exactly_as_given",
        "a_callback_is_called_byte_for_byte",
    ],
    // 26
    &["row_26_parameters_go_behind_the_query_and_overwrite_nothing"],
    // 27
    &["row_27_a_topic_keeps_what_was_given_beside_its_key"],
    // 28
    &["rows_25_to_28_the_get_says_what_it_must"],
    // 29
    &["row_29_challenges_are_random_and_fit_a_query"],
    // 30
    &[
        "row_30_any_2xx_with_exactly_the_challenge",
        "a_yes_is_a_yes_however_http_puts_it",
    ],
    // 31
    &[
        "row_31_and_point_10_what_is_final_and_what_is_asked_again",
        "a_no_is_a_no_however_much_is_said",
    ],
    // 32
    &["rows_4_and_32_a_request_is_taken_and_the_subscriber_asked_at_once"],
    // 33
    &[
        "row_33_a_failed_verification_leaves_the_old_secret",
        "what_is_not_confirmed_changes_nothing",
    ],
    // 34
    &["row_34_an_end_that_is_refused_ends_nothing"],
    // 35
    &[
        "rows_35_and_36_a_renewal_replaces_secret_and_lease",
        "a_renewal_takes_the_place_of_what_was",
    ],
    // 36
    &["rows_35_and_36_a_renewal_replaces_secret_and_lease"],
    // 37
    &[
        "row_37_a_lease_ends_on_time",
        "a_lease_ends_and_with_it_all_deliveries",
    ],
    // 38
    &["a_websub_subscriber_that_insists_on_202"],
    // 39
    &["point_9_a_subscriber_of_0_3_without_a_lease_is_asked_again_before_its_end"],
    // 40
    &[
        "rows_40_and_41_and_c24_urls_and_topics_are_one_list_without_doubles",
        "a_ping_may_name_several_topics",
    ],
    // 41
    &["rows_40_and_41_and_c24_urls_and_topics_are_one_list_without_doubles"],
    // 42
    &["point_24_a_topic_that_nobody_reads_is_not_fetched"],
    // 43
    &[
        "rows_43_to_45_the_fetch_says_who_asks_and_for_how_many",
        "a_fetch_is_sent_on_five_times_at_most",
    ],
    // 44
    &[
        "row_44_and_point_25_what_is_unchanged_is_not_distributed",
        "a_change_goes_out_once_and_to_streams_too",
    ],
    // 45
    &["rows_43_to_45_the_fetch_says_who_asks_and_for_how_many"],
    // 46
    &["c27_entries_that_went_out_are_left_out_and_the_rest_keeps_its_bytes"],
    // 47
    &[
        "row_47_a_ping_during_a_fetch_leads_to_another_fetch",
        "a_ping_during_a_fetch_is_not_lost",
    ],
    // 48
    &[
        "row_48_and_point_26_a_failed_fetch_distributes_nothing_and_is_tried_again",
        "a_failed_fetch_distributes_nothing_and_is_tried_again",
    ],
    // 49
    &["a_callback_is_called_byte_for_byte"],
    // 50
    &["a_websub_subscriber_that_insists_on_202"],
    // 51
    &[
        "c27_entries_that_went_out_are_left_out_and_the_rest_keeps_its_bytes",
        "of_a_feed_goes_out_what_is_new",
    ],
    // 52
    &["point_18_content_goes_out_as_it_came"],
    // 53
    &["rows_53_to_55_one_field_names_hubs_and_self"],
    // 54
    &[
        "rows_53_and_54_the_link_names_what_the_topic_says_of_itself",
        "the_link_says_what_the_topic_says_of_itself",
    ],
    // 55
    &["rows_53_to_55_one_field_names_hubs_and_self"],
    // 56
    &[
        "published_vectors",
        "a_subscriber_chooses_how_it_is_signed_to",
    ],
    // 57
    &["c16_the_method_is_sha256_unless_somebody_says_otherwise"],
    // 58
    &["failures_are_what_hub_md_says"],
    // 59
    &[
        "row_59_a_410_ends_the_subscription_at_once",
        "a_subscriber_that_says_410_is_gone_for_good",
    ],
    // 60
    &["a_failure_is_tried_again_and_the_same_message_says_so"],
    // 61
    &["a_notice_is_tried_for_a_day"],
    // 62
    &[
        "row_62_nothing_but_a_410_ends_a_subscription",
        "newer_content_replaces_what_is_failing",
    ],
    // 63
    &[],
];

/// The decisions where the specifications are open (C), point by point.
const POINTS: &[&[&str]] = &[
    // 1
    &[
        "point_1_who_wants_to_be_verified_first_waits_for_the_verdict",
        "point_1_nobody_waits_longer_than_ten_seconds",
        "a_subscriber_of_0_3_as_freshrss_behaves",
        "who_wants_to_be_verified_first_and_does_not_confirm_gets_a_409",
    ],
    // 2
    &[
        "points_2_and_8_a_lease_that_is_clamped_is_said",
        "a_lease_is_clamped_and_the_answer_says_so",
    ],
    // 3
    &[
        "c3_only_the_form_of_the_specification_is_read",
        "only_the_form_of_the_specification_and_only_in_the_body",
    ],
    // 4
    &[
        "c4_parameters_of_the_query_are_ignored",
        "c4_one_parameter_with_two_values_is_refused",
        "whoever_looks_at_the_hub_is_told_what_it_is",
    ],
    // 5
    &[
        "row_15_and_c5_spellings_of_one_topic_have_one_key",
        "c5_what_two_parsers_could_read_differently_is_refused",
    ],
    // 6
    &["c6_a_fragment_is_refused"],
    // 7
    &[
        "c7_userinfo_is_sent_as_basic_authorization_and_never_shown",
        "credentials_of_a_callback_are_sent_and_shown_to_nobody",
    ],
    // 8
    &[
        "c8_leases_are_clamped",
        "point_8_a_lease_is_over_whatever_the_timer_has_done",
        "point_8_a_lease_counts_from_the_time_the_get_was_sent",
    ],
    // 9
    &[
        "point_9_who_does_not_want_it_any_more_is_let_lapse",
        "point_9_whose_leases_go_on_is_a_setting",
        "a_subscriber_of_0_3_without_a_lease_is_asked_again_until_it_has_enough",
    ],
    // 10
    &[
        "point_10_what_is_no_answer_is_asked_again_with_a_new_challenge",
        "a_subscriber_that_is_down_for_a_moment_is_asked_again",
        "a_subscriber_that_stays_away_is_given_up_without_a_word",
    ],
    // 11
    &[
        "row_30_any_2xx_with_exactly_the_challenge",
        "a_no_is_a_no_however_much_is_said",
    ],
    // 12
    &[
        "point_12_the_last_request_wins",
        "a_subscription_and_its_end_in_one_breath",
    ],
    // 13
    &[
        "point_13_the_end_of_nothing_is_asked_for_as_usual",
        "a_subscriber_of_0_3_as_freshrss_behaves",
    ],
    // 14
    &["one_callback_may_have_a_secret_for_each_topic"],
    // 15
    &["row_11_and_c15_a_secret_is_raw_bytes_and_fewer_than_200"],
    // 16
    &[
        "c16_the_method_is_sha256_unless_somebody_says_otherwise",
        "a_subscriber_chooses_how_it_is_signed_to",
    ],
    // 17
    &["of_the_publishers_fields_a_subscriber_gets_what_its_body_needs"],
    // 18
    &["point_18_content_goes_out_as_it_came"],
    // 19
    &[
        "c19_link_fields_come_before_the_body",
        "c19_nothing_in_a_url_ends_it",
        "the_link_says_what_the_topic_says_of_itself",
    ],
    // 20
    &["points_20_and_21_what_is_not_for_this_hub_is_denied_if_that_is_asked_for"],
    // 21
    &["points_20_and_21_what_is_not_for_this_hub_is_denied_if_that_is_asked_for"],
    // 22
    &[
        "point_22_the_publisher_is_asked_first",
        "c22_an_allow_list_goes_by_prefix_host_or_name",
    ],
    // 23
    &[
        "point_23_a_denial_is_tried_three_times",
        "point_23_the_operator_removes_a_topic_or_one_callback",
        "the_operator_removes_a_topic",
    ],
    // 24
    &[
        "point_24_pings_that_wait_are_one",
        "point_24_pings_within_the_interval_are_one_later_fetch",
        "c24_one_url_that_is_wrong_is_an_error_for_all_that_names_it",
    ],
    // 25
    &[
        "row_44_and_point_25_what_is_unchanged_is_not_distributed",
        "point_25_what_the_store_lost_is_fetched_again",
    ],
    // 26
    &[
        "point_26_redirects_are_followed_five_times",
        "point_26_what_is_too_large_is_not_distributed",
        "point_26_a_publisher_is_left_alone_as_long_as_it_asks",
    ],
    // 27
    &[
        "c27_any_doubt_is_a_full_feed_now_and_the_next_time",
        "point_27_a_subscriber_that_is_new_gets_the_feed_whole",
        "of_a_feed_goes_out_what_is_new",
    ],
    // 28
    &[
        "c28_content_comes_in_a_parameter",
        "c28_the_body_is_the_content_of_the_topic_in_the_query",
        "a_fat_ping_is_a_message_like_any_other",
        "content_may_come_along",
    ],
    // 29
    &[
        "failures_are_what_hub_md_says",
        "retry_after_is_the_least_wait",
        "nothing_is_tried_after_the_lease",
    ],
    // 30
    &[
        "point_30_the_newest_content_replaces_what_waits",
        "messages_keep_their_order_through_failures",
    ],
    // 31
    &[
        "what_a_subscriber_gets",
        "a_failure_is_tried_again_and_the_same_message_says_so",
    ],
    // 32
    &[
        "point_32_addresses_that_only_the_local_may_name",
        "strangers_may_name_public_addresses_only",
    ],
    // 33
    &[
        "points_33_and_37_links_where_there_is_no_public_url",
        "point_33_links_under_a_public_url",
    ],
    // 34
    &[
        "a_yes_is_a_yes_however_http_puts_it",
        "a_dead_line_is_not_counted_and_the_call_goes_out_on_a_fresh_one",
    ],
    // 35
    &[
        "what_the_store_loses_is_fetched_again",
        "point_35_a_verified_subscription_holds_as_it_was",
        "point_35_a_lease_that_ran_out_meanwhile_is_over_at_once",
        "point_35_what_was_asked_for_is_asked_again",
        "point_35_an_end_that_was_asked_for_is_asked_again_and_all_holds_until_then",
        "point_35_tries_are_counted_on_and_their_times_kept",
        "point_35_a_restart_is_no_storm",
        "point_35_a_ping_that_nobody_served_is_served",
        "point_25_what_the_store_has_is_not_published_again",
    ],
    // 36
    &["knobs"],
    // 37
    &[
        "c37_a_plain_name_is_a_topic_that_is_not_fetched",
        "c37_a_plain_name_without_content_is_sent_to_dispatch",
    ],
    // 38
    &[
        "point_38_callbacks_are_those_of_the_topic_in_any_spelling",
        "a_change_goes_out_once_and_to_streams_too",
    ],
];

#[test]
fn each_row_and_each_point_has_its_test() {
    assert_eq!((ROWS.len(), POINTS.len()), (63, 38));
    let mut sources = String::new();
    for folder in ["src", "tests"] {
        read(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
            &mut sources,
        );
    }
    for name in ROWS.iter().chain(POINTS).copied().flatten() {
        assert!(sources.contains(&format!("fn {name}()")), "{name}");
    }
    let without = ROWS.iter().filter(|tests| tests.is_empty()).count();
    assert_eq!(without, 4);
    assert!(POINTS.iter().all(|tests| !tests.is_empty()));
}

fn read(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            read(&path, sources);
        } else if path.extension().is_some_and(|end| end == "rs") {
            *sources += &fs::read_to_string(path).expect("text");
        }
    }
}
