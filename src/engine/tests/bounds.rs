//! What clients can make us hold: buffers on the account, its bound, and who is still served at it.

use std::time::Duration;

use super::World;
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::conn::Limits;
use crate::engine::Settings;

const MAX: u64 = 1 << 20;
/// What one read may bring on top: it is on the account, and then the line is judged.
const READ: u64 = 64 << 10;

fn small() -> World {
    World::new(Settings {
        memory_bytes_max: MAX,
        ..Settings::default()
    })
}

fn held(world: &World) -> u64 {
    world.engine.turn.memory.held()
}

fn count(world: &World, counter: Counter) -> u64 {
    world.engine.stats().get(counter)
}

/// Whoever comes with a whole request is served.
fn is_served(world: &mut World) -> bool {
    let line = world.open();
    let post = "POST /dispatch?_topic=t HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
    let told = world.say(line, post);
    world
        .engine
        .ended(world.now, line, crate::port::Ended::Reset);
    told.starts_with("HTTP/1.1 202 ")
}

/// Opens a line for each of `lines` that says so much, and looks at the account all the time; the
/// lines, and how many of them were refused.
fn flood(world: &mut World, lines: usize, text: &str) -> (Vec<Key>, usize) {
    let mut refused = 0;
    let lines = (0..lines).map(|_| {
        let line = world.open();
        let told = world.say(line, text);
        assert!(
            told.is_empty() || told.starts_with("HTTP/1.1 503 "),
            "{told}"
        );
        refused += usize::from(!told.is_empty());
        assert!(held(world) <= MAX + READ, "{}", held(world));
        line
    });
    (lines.collect(), refused)
}

fn all_comes_back(world: &mut World, lines: Vec<Key>) {
    for line in lines {
        world
            .engine
            .ended(world.now, line, crate::port::Ended::Reset);
    }
    world.turn();
    assert_eq!(held(world), 0);
}

#[test]
fn halves_of_heads_stay_within_the_bound() {
    let mut world = small();
    let head = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(20_000));
    let (lines, refused) = flood(&mut world, 300, &head);
    assert!((200..300).contains(&refused), "{refused}");
    assert_eq!(
        count(&world, Counter::RequestsRefusedForMemory),
        refused as u64
    );
    assert!(
        is_served(&mut world),
        "a quarter is kept for whole requests"
    );
    all_comes_back(&mut world, lines);
}

#[test]
fn bodies_under_way_stay_within_the_bound() {
    let mut world = small();
    let head = "POST /dispatch HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n";
    let begun = head.to_owned() + &"x".repeat(30_000);
    let (lines, refused) = flood(&mut world, 100, &begun);
    assert!((50..100).contains(&refused), "{refused}");
    assert!(is_served(&mut world));
    all_comes_back(&mut world, lines);
}

#[test]
fn a_body_of_a_known_length_takes_no_more_than_that() {
    let mut world = small();
    let line = world.open();
    let head = "POST /dispatch?_topic=t HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n";
    world.say(line, head);
    for _ in 0..29 {
        world.say(line, &"x".repeat(10_000));
        assert!(held(&world) < 302_000, "{}", held(&world));
    }
    assert!(
        world
            .say(line, &"x".repeat(10_000))
            .starts_with("HTTP/1.1 202 ")
    );
    assert!(held(&world) < 10_000, "{}", held(&world));
}

#[test]
fn answers_that_nobody_takes_stay_within_the_bound() {
    let mut world = small();
    world.writable = false;
    let asks = "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n".repeat(200);
    let mut lines = vec![];
    for _ in 0..100 {
        let line = world.open();
        world.say(line, &asks);
        // A line that is told that there is no room is one more that has to be told.
        let told = 2_048 * lines.len() as u64;
        assert!(
            held(&world) <= MAX + MAX / 16 + READ + told,
            "{}",
            held(&world)
        );
        lines.push(line);
    }
    assert!(count(&world, Counter::ReadsPaused) >= 10);
    world.writable = true;
    for line in &lines {
        world.engine.unblocked(*line);
    }
    for _ in 0..1_000 {
        world.turn();
    }
    let line = world.open();
    let told = world.say(line, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(told.starts_with("HTTP/1.1 200 "), "{told}");
    all_comes_back(&mut world, [lines, vec![line]].concat());
}

#[test]
fn what_polls_select_is_on_the_account_while_they_wait_their_turn() {
    let mut world = small();
    world.writable = false;
    let names: Vec<String> = (0..8)
        .map(|n| format!("topic={n}{}", "n".repeat(1_000)))
        .collect();
    let poll = format!(
        "GET /stream?poll=1&{} HTTP/1.1\r\nHost: h\r\n\r\n",
        names.join("&")
    );
    let line = world.open();
    world.say(line, &poll.repeat(6));
    assert!(held(&world) > 5 * 8_000, "{}", held(&world));
    all_comes_back(&mut world, vec![line]);
}

#[test]
fn a_body_that_trickles_is_ended_and_one_that_flows_is_not() {
    let per_second = |bytes: usize| {
        let mut world = World::new(Settings {
            limits: Limits {
                body_timeout: Duration::from_secs(60),
                body_rate_min: 256,
                ..Limits::default()
            },
            ..Settings::default()
        });
        let line = world.open();
        world.say(
            line,
            "POST /dispatch HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n",
        );
        for second in 0..70 {
            world.pass(Duration::from_secs(1));
            if let Some((_, told)) = world.written.first() {
                assert!(told.starts_with(b"HTTP/1.1 408 "));
                let slow = count(&world, Counter::TimeoutsSlowBody);
                assert_eq!(slow + count(&world, Counter::TimeoutsBody), 1);
                return (second, slow == 1);
            }
            world.say(line, &"x".repeat(bytes));
        }
        (70, false)
    };
    assert_eq!(per_second(0), (9, true));
    assert_eq!(per_second(100), (15, true));
    assert_eq!(per_second(300), (59, false), "the time for a whole body");
}

#[test]
fn head_is_refused_without_content_even_before_its_head_is_whole() {
    let mut world = World::keeping(Settings::default());
    let long = format!(
        "HEAD / HTTP/1.1\r\nHost: h\r\nX: {}\r\n",
        "x".repeat(70_000)
    );
    let rows = [
        ("HEAD / HTTP/1.1\r\nHost: h\r\nX\r\n\r\n", "400", true),
        (&long, "431", true),
        ("\r\nHEAD / HTTP/1.1\r\n", "408", true),
        ("HEAD / HTTP/1.1\r\n", "408", true),
        ("HEAD", "408", false),
        ("GET / HTTP/1.1\r\n", "408", false),
    ];
    for (sent, status, bare) in rows {
        let line = world.open();
        let mut told = world.say(line, sent);
        if told.is_empty() {
            world.pass(Duration::from_secs(60));
            let of_line = world.written.iter().filter(|(key, _)| *key == line);
            let bytes: Vec<u8> = of_line.flat_map(|(_, bytes)| bytes.clone()).collect();
            told = String::from_utf8_lossy(&bytes).into_owned();
        }
        assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{told}");
        assert_eq!(told.ends_with("\r\n\r\n"), bare, "{sent:.30}: {told}");
    }
}
