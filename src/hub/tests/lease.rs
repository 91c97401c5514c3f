//! Leases: their end, and how they go on.

use super::super::settings::Refresh;
use super::*;

#[test]
fn row_37_a_lease_ends_on_time() {
    let mut story = Story::subscribed("&hub.lease_seconds=1000");
    story.pass(999);
    assert_eq!(story.callbacks().len(), 1);
    story.pass(1);
    assert_eq!((story.state(), story.callbacks().len()), ("gone", 0));
    assert!(story.hub.is_empty());
    assert_eq!(story.count(Counter::LeasesEnded), 1);
    assert!(story.call().is_none(), "point 23: nobody is told");
}

#[test]
fn point_8_a_lease_is_over_whatever_the_timer_has_done() {
    let mut story = Story::subscribed("&hub.lease_seconds=1000");
    story.at(story.turn.now.mono + Duration::from_secs(1_000));
    assert_eq!((story.state(), story.callbacks().len()), ("active", 0));
}

#[test]
fn point_8_a_lease_counts_from_the_time_the_get_was_sent() {
    let mut story = Story::new();
    story.subscribe("&hub.lease_seconds=1000").unwrap();
    story.pass(50);
    let out = story.called();
    let sent = story.turn.now.mono;
    story.pass(5);
    let challenge = out.param("hub.challenge").unwrap().to_owned();
    story.answer(&out, 200, &challenge);
    assert_eq!(
        story.callbacks()[0].until,
        sent + Duration::from_secs(1_000)
    );
}

#[test]
fn a_lease_that_ends_while_it_is_renewed_waits_for_the_verification() {
    let mut story = Story::subscribed("&hub.lease_seconds=300");
    story.pass(298);
    story.subscribe("").unwrap();
    let out = story.called();
    story.pass(5);
    assert_eq!((story.state(), story.callbacks().len()), ("pending", 0));
    let challenge = out.param("hub.challenge").unwrap().to_owned();
    story.answer(&out, 200, &challenge);
    assert_eq!((story.state(), story.callbacks().len()), ("active", 1));
}

#[test]
fn point_9_a_subscriber_of_0_3_without_a_lease_is_asked_again_before_its_end() {
    let mut story = Story::subscribed("&hub.verify=async&hub.verify_token=tok");
    for _ in 0..3 {
        story.pass(864_000 * 9 / 10 - 1);
        assert!(story.call().is_none());
        story.pass(1);
        let out = story.confirm();
        assert_eq!(out.param("hub.mode"), Some("subscribe"));
        assert_eq!(out.param("hub.verify_token"), Some("tok"));
        assert_eq!((story.state(), story.callbacks().len()), ("active", 1));
    }
}

#[test]
fn point_9_who_does_not_want_it_any_more_is_let_lapse() {
    for status in [404, 410] {
        let mut story = Story::subscribed("&hub.verify=async");
        story.pass(864_000 * 9 / 10);
        let out = story.called();
        story.answer(&out, status, "");
        assert_eq!((story.state(), story.callbacks().len()), ("active", 1));
        story.pass(864_000 / 10);
        assert!(story.call().is_none() && story.hub.is_empty());
    }
}

/// So long it cannot be reached; how often it was tried.
fn away(story: &mut Story, seconds: u64) -> usize {
    let mut calls = 0;
    for _ in 0..seconds / 300 {
        while let Some(out) = story.call() {
            story.faults(&out, Fault::Connect);
            calls += 1;
        }
        story.pass(300);
    }
    calls
}

/// It has not said no: an hour of trouble must not cost it what it had.
#[test]
fn point_9_who_cannot_be_asked_is_asked_again_while_the_lease_lasts() {
    let mut story = Story::subscribed("&hub.verify=async");
    story.pass(864_000 * 9 / 10);
    // Four calls each time, and the next when half of what was left is over.
    assert_eq!(away(&mut story, 42_600), 4);
    assert_eq!(away(&mut story, 3_600), 4);
    assert_eq!(story.state(), "active");
    story.pass(21_600);
    story.confirm();
    story.pass(864_000 * 9 / 10);
    assert_eq!((story.state(), story.callbacks().len()), ("changing", 1));
    // The last question may still be open when the lease ends.
    let calls = away(&mut story, 86_400 + 3_600);
    assert!(story.call().is_none() && story.hub.is_empty());
    assert!((8..60).contains(&calls), "{calls}");
}

#[test]
fn point_9_a_failed_change_does_not_stop_the_renewal() {
    let mut story = Story::subscribed("&hub.verify=async");
    story.subscribe("&hub.verify=async").unwrap();
    let out = story.called();
    story.answer(&out, 404, "");
    story.pass(864_000 * 9 / 10);
    story.confirm();
    assert_eq!(story.state(), "active");
}

#[test]
fn point_9_whose_leases_go_on_is_a_setting() {
    let rows = [
        (Refresh::Push03, "", false),
        (
            Refresh::Push03,
            "&hub.verify=async&hub.lease_seconds=864000",
            false,
        ),
        (Refresh::Always, "", true),
        (Refresh::Never, "&hub.verify=async", false),
    ];
    for (refresh, more, renews) in rows {
        let mut story = Story::with(Settings {
            refresh,
            ..Settings::default()
        });
        story.subscribe(more).unwrap();
        story.confirm();
        story.pass(864_000 * 9 / 10);
        assert_eq!(story.call().is_some(), renews, "{refresh:?} {more}");
    }
}
