//! Calls of a room that is not dispatch, through lanes and lines: a script in the hub's stead.

use std::collections::VecDeque;
use std::sync::Arc;

use super::*;
use crate::base::frame::Frame;
use crate::base::slab::Slab;
use crate::base::stats::Counter;
use crate::courier::breaker::ROW_MAX;
use crate::dispatch::target;
use crate::model::{Answer, Ending, Target, Wants};
use crate::port::{Caller, Turn};

/// Bytes of an answer's body that scripted calls want.
const BODY_BYTES_MAX: usize = 1 << 20;
/// How long a scripted call may take, and may wait in its lane.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What was heard of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    /// Status, body, truncated.
    Answer(u16, Vec<u8>, bool),
    Fault(&'static str),
    Expired,
}

#[derive(Debug)]
struct Scripted {
    target: Arc<Target>,
    expires: Mono,
    strict: bool,
}

/// A room with calls that want whole answers.
#[derive(Debug)]
pub(in crate::engine) struct Script {
    calls: Slab<Scripted>,
    due: VecDeque<Key>,
    begun: usize,
    uncounted: usize,
    heard: Vec<Heard>,
}

impl Caller for Script {
    fn next_due(&mut self) -> Option<(Key, Mono, &Arc<Target>)> {
        let key = self.due.pop_front()?;
        let call = self.calls.get(key)?;
        Some((key, call.expires, &call.target))
    }

    fn expires(&self, key: Key) -> Mono {
        self.calls.get(key).map_or(Mono::NEVER, |call| call.expires)
    }

    fn expire(&mut self, _: &mut Turn, key: Key) {
        self.heard
            .extend(self.calls.remove(key).map(|_| Heard::Expired));
    }

    fn is_strict(&self, key: Key) -> bool {
        self.calls.get(key).is_none_or(|call| call.strict)
    }

    fn target(&self, key: Key) -> Option<&Arc<Target>> {
        self.calls.get(key).map(|call| &call.target)
    }

    fn begin(&mut self, _: &mut Turn, key: Key) -> Option<(Arc<Target>, Duration)> {
        self.begun += 1;
        Some((Arc::clone(&self.calls.get(key)?.target), TIMEOUT))
    }

    fn uncount(&mut self, _: &mut Turn, _: Key) {
        self.begun -= 1;
        self.uncounted += 1;
    }

    fn unbegin(&mut self, _: Key) {
        self.begun -= 1;
    }

    fn is_head(&self, _: Key) -> bool {
        false
    }

    fn compose(&self, _: &Turn, key: Key, out: &mut Vec<u8>) -> Option<Frame> {
        let target = &self.calls.get(key)?.target;
        for part in [
            "GET ",
            &target.path,
            " HTTP/1.1\r\nHost: ",
            &target.authority,
        ] {
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(b"\r\n\r\n");
        Some(Frame::copy_of(b""))
    }

    fn wants(&self, _: Key) -> Option<Wants> {
        Some(Wants::Body(BODY_BYTES_MAX))
    }

    fn concluded(&mut self, _: &mut Turn, key: Key, ending: &Ending, answer: Option<Answer<'_>>) {
        self.calls.remove(key).expect("concluded twice");
        self.heard.push(match (ending, answer) {
            (Ending::Answer { status, .. }, Some(answer)) => {
                Heard::Answer(*status, answer.body.to_vec(), answer.truncated)
            }
            (Ending::Fault { detail, .. }, None) => Heard::Fault(detail),
            odd => panic!("{odd:?}"),
        });
    }
}

impl World {
    fn scripted(settings: Settings) -> World {
        let mut world = World::new(settings);
        world.engine.stand_in = Some(Script {
            calls: Slab::with_bound(100),
            due: VecDeque::new(),
            begun: 0,
            uncounted: 0,
            heard: Vec::new(),
        });
        world
    }

    fn script(&mut self) -> &mut Script {
        self.engine.stand_in.as_mut().expect("scripted")
    }

    /// A call to that URL is due.
    fn due(&mut self, url: &str, strict: bool) {
        let call = Scripted {
            target: Arc::new(target::parse(url).unwrap()),
            expires: self.now.mono + TIMEOUT,
            strict,
        };
        let script = self.script();
        let key = script.calls.insert(call).unwrap();
        script.due.push_back(key);
    }

    /// Calls that URL: the line of the request, connected unless one was ready.
    fn fetch(&mut self, url: &str) -> Key {
        let dialled = self.dialled.len();
        self.due(url, false);
        self.written.clear();
        self.turn();
        if let Some(line) = self.dialled.get(dialled) {
            self.engine.connected(self.now, *line);
            self.turn();
        }
        let (line, request) = self.written.pop().expect("nothing was asked");
        assert!(request.starts_with(b"GET /"));
        line
    }

    fn held(&self) -> u64 {
        self.engine.turn.memory.held()
    }
}

const URL: &str = "http://127.0.0.1:7/topic";

#[test]
fn a_whole_answer_comes_back_and_the_line_is_kept() {
    let mut world = World::scripted(Settings::default());
    let mut at_rest = None;
    for number in 1..=3 {
        let line = world.fetch(URL);
        world.say(line, "HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n");
        assert_eq!(world.script().heard.len(), number - 1, "before the body");
        world.say(line, &"x".repeat(19_999));
        assert!(world.held() >= 19_999, "{} bytes held", world.held());
        world.say(line, "y");
        // What the line's own buffer has grown to, and nothing of the answer.
        let held = world.held();
        assert_eq!(*at_rest.get_or_insert(held), held);
        assert!(held < 5_000, "{held} of a line at rest");
        let Some(Heard::Answer(200, body, false)) = world.script().heard.last() else {
            panic!("{:?}", world.script().heard);
        };
        assert_eq!((body.len(), body.last()), (20_000, Some(&b'y')));
    }
    assert_eq!((world.dialled.len(), world.closed.len()), (1, 0));
    let line = world.dialled[0];
    world.engine.ended(world.now, line, Ended::Finished);
    world.turn();
    assert_eq!((world.held(), &world.closed[..]), (0, &[line][..]));
}

#[test]
fn a_body_that_does_not_come_to_its_end_is_waited_for_until_the_deadline() {
    let mut world = World::scripted(Settings::default());
    let line = world.fetch(URL);
    world.say(
        line,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    for _ in 0..9 {
        world.say(line, "1\r\nx\r\n");
        world.pass(Duration::from_secs(1));
        assert!(world.held() > 0 && world.script().heard.is_empty());
    }
    world.pass(Duration::from_secs(1));
    assert_eq!(world.script().heard, [Heard::Fault("answer_unfinished")]);
    assert_eq!((world.held(), &world.closed[..]), (0, &[line][..]));
}

#[test]
fn a_line_reset_inside_the_body_ends_the_call() {
    let mut world = World::scripted(Settings::default());
    let line = world.fetch(URL);
    world.say(line, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1234");
    world.engine.ended(world.now, line, Ended::Reset);
    world.turn();
    assert_eq!(world.script().heard, [Heard::Fault("reset_in_answer")]);
    assert_eq!((world.held(), &world.closed[..]), (0, &[line][..]));
}

#[test]
fn a_line_that_closes_ends_a_body_without_a_length() {
    let mut world = World::scripted(Settings::default());
    let line = world.fetch(URL);
    world.say(line, "HTTP/1.1 200 OK\r\n\r\n1234");
    world.engine.ended(world.now, line, Ended::Finished);
    world.turn();
    let expected = Heard::Answer(200, b"1234".to_vec(), false);
    assert_eq!(world.script().heard, [expected]);
    assert_eq!((world.held(), &world.closed[..]), (0, &[line][..]));
}

#[test]
fn a_body_over_the_bound_ends_its_line() {
    let mut world = World::scripted(Settings::default());
    let line = world.fetch(URL);
    world.say(line, "HTTP/1.1 200 OK\r\n\r\n");
    for _ in 0..=BODY_BYTES_MAX >> 16 {
        world.say(line, &"x".repeat(1 << 16));
    }
    let Some(Heard::Answer(200, body, true)) = world.script().heard.first() else {
        panic!("{:?}", world.script().heard.len());
    };
    assert_eq!(body.len(), BODY_BYTES_MAX);
    assert_eq!((world.held(), &world.closed[..]), (0, &[line][..]));
}

#[test]
fn a_body_that_memory_has_no_room_for_is_no_evidence_against_its_target() {
    let mut world = World::scripted(Settings {
        memory_bytes_max: 1_000,
        ..Settings::default()
    });
    for _ in 0..12 {
        let line = world.fetch(URL);
        world.say(line, "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n");
        world.say(line, &"x".repeat(2_000));
        assert_eq!(
            world.script().heard.pop(),
            Some(Heard::Fault("memory_full"))
        );
        assert_eq!((world.held(), world.closed.last()), (0, Some(&line)));
    }
    let opened = world.engine.stats().get(Counter::BreakersOpened);
    assert_eq!(opened, 0);
}

#[test]
fn a_dead_line_is_not_counted_and_the_call_goes_out_on_a_fresh_one() {
    let mut world = World::scripted(Settings::default());
    let first = world.fetch(URL);
    world.say(first, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!(world.fetch(URL), first);
    world.engine.ended(world.now, first, Ended::Finished);
    world.turn();
    let second = *world.dialled.last().unwrap();
    assert_ne!(first, second, "not sent again");
    world.engine.connected(world.now, second);
    world.turn();
    let script = world.script();
    assert_eq!(
        (script.begun, script.uncounted, script.heard.len()),
        (2, 1, 1)
    );
    world.say(second, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ny");
    let expected = Heard::Answer(200, b"y".to_vec(), false);
    assert_eq!(world.script().heard[1..], [expected]);
}

#[test]
fn two_rooms_in_one_lane_take_turns() {
    let mut world = World::scripted(Settings::default());
    let client = world.open();
    for _ in 0..3 {
        world.say(client, &post(7, "Hookah-Delay: 5s\r\n"));
    }
    world.pass(Duration::from_millis(4_900));
    assert!(world.dialled.is_empty());
    for _ in 0..3 {
        world.due(URL, false);
    }
    world.now.mono = world.now.mono + Duration::from_millis(200);
    world.turn();
    assert_eq!(world.dialled.len(), 6);
    world.written.clear();
    for line in world.dialled.clone() {
        world.engine.connected(world.now, line);
        world.turn();
    }
    let methods = world.written.iter().map(|(_, bytes)| bytes[0]);
    assert_eq!(methods.collect::<Vec<_>>(), b"PGPGPG");
    // A room's key is its own: the answers go to whoever asked.
    for line in world.dialled.clone() {
        world.say(line, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
    assert_eq!(world.script().heard.len(), 3);
    assert_eq!(world.engine.deliveries(), 0);
    let delivered = world.engine.stats().get(Counter::DeliveriesDelivered);
    assert_eq!(delivered, 3);
}

#[test]
fn a_call_that_asks_for_public_addresses_gets_no_line_to_this_machine() {
    let mut world = World::scripted(Settings::default());
    let line = world.fetch(URL);
    world.say(line, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    world.due(URL, true);
    world.turn();
    assert_eq!(world.dialled.len(), 1);
    assert!(
        matches!(world.script().heard[..], [_, Heard::Fault(_)]),
        "{:?}",
        world.script().heard
    );
    assert_eq!(world.fetch(URL), line, "the line is still there for others");
}

#[test]
fn a_call_that_waits_too_long_expires_in_its_lane() {
    let mut world = World::scripted(Settings::default());
    let client = world.open();
    let pause = "POST /lanes/http%3A%2F%2F127.0.0.1%3A7/pause HTTP/1.1\r\nHost: h\r\n\
                 Content-Length: 0\r\n\r\n";
    assert!(world.say(client, pause).starts_with("HTTP/1.1 200 "));
    world.due(URL, false);
    world.turn();
    world.pass(TIMEOUT);
    assert_eq!(world.script().heard, [Heard::Expired]);
    assert_eq!(world.script().begun, 0);
}

#[test]
fn a_target_that_refuses_ends_the_call() {
    let mut world = World::scripted(Settings::default());
    world.due(URL, false);
    world.turn();
    let line = world.dialled[0];
    world.engine.ended(world.now, line, Ended::Refused);
    world.turn();
    assert_eq!(world.script().heard, [Heard::Fault("refused")]);
    assert_eq!(world.closed, [line]);
}

#[test]
fn a_name_that_does_not_exist_ends_no_more_calls_than_open_the_breaker() {
    let mut settings = Settings::default();
    settings.courier.resolvers = vec![([127, 0, 0, 1], 53).into()];
    let mut world = World::scripted(settings);
    for _ in 0..30 {
        world.due("http://nowhere.test/topic", false);
    }
    world.turn();
    for (key, mut packet) in std::mem::take(&mut world.asked) {
        // The question comes back as an answer (QR) with the code for no such name.
        packet[2] |= 0x80;
        packet[3] = 0x83;
        world.engine.datagram(world.now, key, &packet);
    }
    world.turn();
    let count = |world: &mut World| {
        let heard = &world.script().heard;
        assert!(
            heard.iter().all(|it| *it == Heard::Fault("nxdomain")),
            "{heard:?}"
        );
        heard.len()
    };
    assert_eq!(count(&mut world), ROW_MAX as usize);
    world.pass(Duration::from_millis(1_300));
    assert_eq!(count(&mut world), ROW_MAX as usize + 1, "one probe");
}
