//! What a failure is, how often a notice is tried, and when it is given up.

use super::*;

#[test]
fn failures_are_what_hub_md_says() {
    let answer = |status| Ending::Answer {
        status,
        retry_after: None,
    };
    let fault = |fault, detail| Ending::Fault { fault, detail };
    let failures = [
        answer(300),
        answer(301),
        answer(303),
        answer(307),
        answer(401),
        answer(404),
        answer(429),
        answer(500),
        fault(Fault::Dns, "no_address"),
        fault(Fault::Connect, "refused"),
        fault(Fault::Tls, "tls_cert_expired"),
        fault(Fault::Timeout, "no_answer"),
        fault(Fault::Protocol, "no_http"),
        fault(Fault::Policy, "loopback"),
    ];
    for ending in failures {
        let (mut stage, key) = one();
        stage.begin(key);
        stage.conclude(key, &ending);
        let next = stage.fates();
        assert!(
            matches!(next[..], [(_, Fate::Retrying(_))]),
            "{ending}: {next:?}"
        );
        stage.pass(Duration::from_secs(12));
        stage.begin_due(key);
        stage.answer(key, 299);
        assert_eq!(stage.fates(), [(key, ENDED(Outcome::Delivered))]);
        assert!(stage.is_over());
    }
    let (mut stage, key) = one();
    stage.begin(key);
    stage.answer(key, 410);
    assert_eq!(stage.fates(), [(key, ENDED(Outcome::Failed))]);
    assert!(stage.is_over());
}

#[test]
fn a_notice_is_tried_for_a_day() {
    let (mut stage, key) = one();
    let accepted = stage.turn.now.mono;
    stage.begin(key);
    for seconds in [10, 60, 300, 1_800, 7_200, 21_600, 43_200] {
        let failed = stage.turn.now.mono;
        stage.answer(key, 500);
        let [(_, Fate::Retrying(at))] = stage.fates()[..] else {
            panic!("no retry");
        };
        let (wait, tenth) = (at.since(failed), Duration::from_secs(seconds) / 10);
        assert!(
            wait >= 9 * tenth && wait <= 11 * tenth,
            "{seconds}: {wait:?}"
        );
        stage.pass(wait + Duration::from_millis(10));
        stage.begin_due(key);
    }
    stage.answer(key, 500);
    assert_eq!(stage.fates(), [(key, Fate::Retrying(accepted + 24 * HOUR))]);
    stage.pass(24 * HOUR);
    assert!(stage.dispatch.deliveries.next_due().is_some());
    assert!(
        stage
            .dispatch
            .deliveries
            .begin(&mut stage.turn, key)
            .is_none()
    );
    assert_eq!(stage.fates(), [(key, ENDED(Outcome::Expired))]);
    assert!(stage.is_over());
}

#[test]
fn retry_after_is_the_least_wait() {
    let (mut stage, key) = one();
    stage.begin(key);
    let retry_after = Some(HOUR);
    let status = 503;
    stage.conclude(
        key,
        &Ending::Answer {
            status,
            retry_after,
        },
    );
    let at = stage.turn.now.mono + HOUR;
    assert_eq!(stage.fates(), [(key, Fate::Retrying(at))]);
    stage.cancel(key);
    assert!(stage.is_over());
}

#[test]
fn nothing_is_tried_after_the_lease() {
    let mut stage = Stage::new();
    let until = stage.turn.now.mono + Duration::from_secs(5);
    let callback = Callback {
        until,
        ..stage.callback("http://127.0.0.1:9000/")
    };
    let keys = stage.offered(&[callback.clone(), callback]);
    // One is tried in time, and its retry would come too late; one is released too late.
    stage.begin(keys[0]);
    stage.answer(keys[0], 500);
    assert!(matches!(stage.fates()[..], [(_, Fate::Retrying(at))] if at > until));
    stage.pass(Duration::from_secs(12));
    stage.dispatch.deliveries.release(&mut stage.turn, keys[1]);
    for key in keys {
        let due = stage.dispatch.deliveries.next_due();
        assert_eq!(due.map(|(key, ..)| key), Some(key));
        assert!(
            stage
                .dispatch
                .deliveries
                .begin(&mut stage.turn, key)
                .is_none()
        );
        assert_eq!(stage.fates(), [(key, ENDED(Outcome::Expired))]);
    }
    assert!(stage.is_over());
}

#[test]
fn a_lease_that_is_renewed_holds_for_what_waits() {
    let mut stage = Stage::new();
    let until = stage.turn.now.mono + Duration::from_secs(5);
    let callback = Callback {
        until,
        ..stage.callback("http://127.0.0.1:9000/")
    };
    let key = stage.offered(std::slice::from_ref(&callback))[0];
    stage.begin(key);
    stage.answer(key, 500);
    let renewed = Callback {
        until: until + HOUR,
        link: "<http://hub.test/>; rel=\"hub\", a link of another length".into(),
        ..callback
    };
    let deliveries = &mut stage.dispatch.deliveries;
    deliveries.renew(&mut stage.turn, key, &renewed);
    stage.check();
    stage.pass(Duration::from_secs(12));
    stage.begin_due(key);
    stage.answer(key, 200);
    assert_eq!(stage.ends, [(1, Outcome::Delivered)]);
    assert!(stage.is_over());
}

#[test]
fn a_lane_that_is_held_gives_a_notice_up() {
    let (mut stage, key) = one();
    stage.dispatch.deliveries.release(&mut stage.turn, key);
    assert!(stage.dispatch.deliveries.next_due().is_some());
    stage.pass(24 * HOUR);
    stage.dispatch.deliveries.expire(&mut stage.turn, key);
    assert_eq!(stage.fates(), [(key, ENDED(Outcome::Expired))]);
    assert!(stage.is_over());
}

#[test]
fn what_is_called_off_far_ahead_leaves_the_rest_in_order() {
    let mut stage = Stage::new();
    let callbacks: Vec<Callback> = (0..40)
        .map(|_| stage.callback("http://127.0.0.1:9000/"))
        .collect();
    let keys = stage.offered(&callbacks);
    for (key, hours) in keys.iter().zip(1..) {
        stage.begin(*key);
        let ending = Ending::Answer {
            status: 503,
            retry_after: Some(hours * HOUR / 4),
        };
        stage.conclude(*key, &ending);
    }
    let (gone, kept): (Vec<_>, Vec<_>) = keys.iter().zip(0..).partition(|(_, n)| n % 4 != 1);
    gone.into_iter().for_each(|(key, _)| stage.cancel(*key));
    stage.fates();
    for (key, _) in kept {
        stage.pass(HOUR);
        stage.begin_due(*key);
        stage.answer(*key, 200);
        assert_eq!(stage.fates(), [(*key, ENDED(Outcome::Delivered))]);
    }
    assert!(stage.is_over());
}
