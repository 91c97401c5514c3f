//! Clocks that are set, while the server runs and while it does not (G12).

use std::time::Duration;

use hookah::base::time::Wall;

use crate::rig::{Rig, Target, durable};

const HOUR: u64 = 3_600_000_000;
const DAY: Duration = Duration::from_secs(86_400);
const JUMPS: [i64; 4] = [
    HOUR as i64,
    -(HOUR as i64),
    365 * 24 * HOUR as i64,
    -365 * 24 * HOUR as i64,
];

fn set(wall: Wall, jump: i64) -> Wall {
    Wall(wall.0.saturating_add_signed(jump))
}

/// A server with a retry that is due in five minutes, and ten delayed messages in the same lane.
fn waiting() -> Rig {
    let mut rig = Rig::new(durable());
    rig.target(9, Target::Answers(500));
    let expires = "Hookah-Expires: 366d\r\n";
    rig.accepted(9, &format!("{expires}Hookah-Retry-Schedule: 5m\r\n"));
    for minute in 1..=10 {
        let delay = 60 * (5 + 2 * minute);
        rig.accepted(9, &format!("{expires}Hookah-Delay: {delay}\r\n"));
    }
    assert_eq!(rig.got(9), 1);
    rig.target(9, Target::Answers(200));
    rig.requests.clear();
    rig
}

#[test]
fn a_clock_that_is_set_while_the_server_runs_changes_no_wait() {
    for jump in JUMPS {
        let mut rig = waiting();
        let start = rig.now.mono;
        rig.pass(Duration::from_secs(1));
        rig.now.wall = set(rig.now.wall, jump);
        rig.pass(Duration::from_secs(297));
        assert_eq!(rig.got(9), 0, "{jump}: nothing is early");
        rig.pass(Duration::from_secs(3));
        assert_eq!(rig.got(9), 1, "{jump}: the retry is on time");
        rig.pass(2 * DAY);
        assert_eq!(rig.got(9), 11, "{jump}");
        let waits = rig.requests.iter().map(|it| it.at.since(start));
        for (number, wait) in waits.enumerate().skip(1) {
            let minutes = Duration::from_secs(60 * (5 + 2 * number as u64));
            let late = wait.checked_sub(minutes).unwrap_or_default();
            assert!(late < DAY, "{jump}: {number} was {late:?} late");
        }
    }
}

#[test]
fn a_clock_that_is_set_between_two_processes_delays_by_no_more_than_a_backoff() {
    for jump in JUMPS {
        let mut rig = waiting();
        let wall = set(rig.now.wall, jump);
        rig.crash(durable(), wall);
        rig.ready();
        let start = rig.now.mono;
        rig.pass(3 * DAY);
        if jump >= 365 * 24 * HOUR as i64 {
            // All of it has expired, as far as anybody can tell.
            continue;
        }
        assert_eq!(rig.got(9), 11, "{jump}");
        let late = rig
            .requests
            .iter()
            .map(|it| it.at.since(start))
            .max()
            .unwrap();
        assert!(late <= DAY + Duration::from_secs(3_600), "{jump}: {late:?}");
    }
}

#[test]
fn a_delay_of_weeks_is_kept_although_the_clock_may_have_been_set() {
    let mut rig = Rig::new(durable());
    rig.accepted(9, "Hookah-Delay: 30d\r\nHookah-Expires: 40d\r\n");
    rig.restart();
    rig.pass(DAY * 30 - Duration::from_secs(10));
    assert_eq!(rig.got(9), 0, "it is early");
    rig.pass(Duration::from_secs(20));
    assert_eq!(rig.got(9), 1);
}
