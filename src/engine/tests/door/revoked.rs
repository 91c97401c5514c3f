//! What becomes of streams and polls when the token that opened them is taken away or its ticket
//! ends.

use super::*;

#[test]
fn who_loses_a_token_loses_its_streams_and_nobody_else_does() {
    let mut world = guarded(&[
        ("a", "subscribe:*"),
        ("b", "subscribe:*"),
        ("c", "subscribe:* tickets"),
        ("p", "publish:*"),
    ]);
    let mut open = |name: &str, query: &str| {
        let key = world.open();
        let line = format!("GET /stream?topic=t&format=json&{query}");
        world.say(key, &request(&line, &bearer(name), ""));
        key
    };
    let streams = ["a", "b", "c"].map(|name| open(name, ""));
    let polls = ["a", "b"].map(|name| open(name, "wait=60"));
    let upload = world.open();
    let head = request("POST /dispatch", &format!("{FORM}{}", bearer("p")), "");
    world.say(upload, &head.replace("Length: 0", "Length: 8"));
    // The same name with other rights is another token; the order does not matter.
    let now = world.now;
    world.written.clear();
    let enrolled = world.engine.enrol(
        now,
        &roll(&[
            ("c", "subscribe:*"),
            ("b", "subscribe:*"),
            ("q", "publish:*"),
        ]),
    );
    world.turn();
    assert_eq!((enrolled.tokens, enrolled.new, enrolled.gone), (3, 2, 3));
    for (key, ends) in streams.into_iter().zip([true, false, true]) {
        let told = world.told(key);
        assert_eq!(told.contains("\"code\":6"), ends, "{told}");
        assert_eq!(told.ends_with("0\r\n\r\n"), ends, "{told}");
    }
    assert!(
        world.told(polls[0]).starts_with("HTTP/1.1 204"),
        "{}",
        world.told(polls[0])
    );
    assert_eq!(world.told(polls[1]), "");
    assert_eq!(world.count(Counter::StreamsRevoked), 3);
    // Whose token went during its upload is refused, and what comes now reaches those who stay.
    assert_eq!(status(&world.say(upload, "_topic=t")), 401);
    assert_eq!(status(&world.dispatch("q", "_topic=t&a=1")), 202);
    for (key, reads) in streams.into_iter().zip([false, true, false]) {
        assert_eq!(world.told(key).contains("\"a\":\"1\""), reads);
    }
    assert!(world.told(polls[1]).contains("\"a\":\"1\""));
}

#[test]
fn a_ticket_lets_one_topic_be_read_until_its_time() {
    let mut world = guarded(&[("web", "subscribe:t tickets"), ("p", "publish:*")]);
    let seconds = world.now.wall.0 / 1_000_000;
    let ticket = |exp: u64| {
        let key = ring::digest::digest(&ring::digest::SHA256, secret("web").as_bytes());
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.as_ref());
        let sig = ring::hmac::sign(&key, format!("{exp}\nt").as_bytes());
        let sig: String = sig.as_ref().iter().map(|it| format!("{it:02x}")).collect();
        format!("topic=t&exp={exp}&key=web&sig={sig}")
    };
    let reader = world.open();
    let line = format!("GET /stream?{}&format=json", ticket(seconds + 30));
    let head = world.say(reader, &request(&line, "", ""));
    assert_eq!(status(&head), 200, "{head}");
    assert_eq!(status(&world.dispatch("p", "_topic=t&a=1")), 202);
    assert!(world.told(reader).contains("\"a\":\"1\""));
    let old = world.ask(&format!("GET /stream?{}", ticket(seconds)), "", "");
    assert!(
        status(&old) == 401 && old.contains("the ticket has expired"),
        "{old}"
    );
    let post = world.ask(&format!("POST /stream?{}", ticket(seconds + 30)), "", "");
    assert_eq!(status(&post), 401, "{post}");
    let line = format!("GET /stream?{}&prefix=a", ticket(seconds + 30));
    assert_eq!(status(&world.ask(&line, "", "")), 401);
    world.written.clear();
    world.pass(Duration::from_millis(29_900));
    assert!(!world.told(reader).contains("\"code\":6"));
    world.pass(Duration::from_millis(200));
    let told = world.told(reader);
    assert!(
        told.contains("\"code\":6") && told.ends_with("0\r\n\r\n"),
        "{told}"
    );
    // A ticket of a token that is gone goes with it.
    let reader = world.open();
    let line = format!("GET /stream?{}&format=json", ticket(seconds + 3_000));
    world.say(reader, &request(&line, "", ""));
    let now = world.now;
    world.engine.enrol(now, &roll(&[("p", "publish:*")]));
    world.turn();
    assert!(
        world.told(reader).contains("\"code\":6"),
        "{}",
        world.told(reader)
    );
}

#[test]
fn whoever_waited_behind_other_answers_is_asked_again() {
    let mut world = guarded(&[("a", "subscribe:* dispatch")]);
    world.stores = false;
    let post = request(
        "POST /dispatch",
        &format!("{FORM}{}", bearer("a")),
        "_url=http://127.0.0.1:9/",
    );
    let keys = ["", "&poll=1"].map(|query| {
        let line = format!("GET /stream?topic=t&format=json&since=all{query}");
        let key = world.open();
        world.say(key, &(post.clone() + &request(&line, &bearer("a"), "")));
        key
    });
    let now = world.now;
    world.engine.enrol(now, &Roll::default());
    let seq = world.handed.last().expect("a message").0;
    world.written.clear();
    world.engine.stored(now, StoreDone::Durable(seq));
    world.turn();
    let [stream, poll] = keys.map(|key| world.told(key));
    assert!(
        stream.contains(" 202 ") && stream.contains("\"code\":6"),
        "{stream}"
    );
    assert!(poll.contains(" 202 ") && !poll.contains(" 200 "), "{poll}");
    assert_eq!(world.closed.last(), Some(&keys[1]));
}
