//! Answers that are wanted whole, cut into pieces at every place there is.

use super::*;
use crate::base::frame::Frame;
use crate::base::slab::Slab;
use crate::base::time::{Mono, Now, Wall};
use crate::conn::outbound::Place;
use crate::model::{Fault, Owner, Room, Wants};
use crate::port::Ended;

const NOW: Now = Now {
    mono: Mono(1_000_000),
    wall: Wall(1_763_880_000_000_000),
};
const DEADLINE: Mono = Mono(9_000_000);
const REQUEST: &[u8] = b"GET /topic HTTP/1.1\r\nHost: h\r\n\r\n";
const MAX: usize = 8;

/// A line with a call that wants a body of at most [`MAX`] bytes, and the account of memory.
struct World {
    line: Outbound,
    memory: Ledger,
    owner: Owner,
}

/// Status, body, truncated; or in one word why there is none.
type Came = Result<(u16, Vec<u8>, bool), &'static str>;

impl World {
    fn new(memory: u64) -> World {
        World::after(memory, REQUEST.len())
    }

    /// So many bytes of its first request are out.
    fn after(memory: u64, written: usize) -> World {
        let key = Slab::with_bound(1).insert(()).unwrap();
        let owner = Owner {
            room: Room::Hub,
            key,
        };
        let mut world = World {
            line: Outbound::connecting(key, owner, Place::default(), DEADLINE),
            memory: Ledger::new(memory),
            owner,
        };
        world.ask(false);
        world.line.wrote(written);
        let own = world.line.charged();
        world.memory = Ledger::new(memory + own);
        world.memory.charge(own);
        world.line.charge(&mut world.memory);
        world
    }

    fn ask(&mut self, head_only: bool) {
        let out = self.line.begin(self.owner, head_only, DEADLINE);
        out.extend_from_slice(REQUEST);
        self.line.send(Frame::copy_of(b""), Wants::Body(MAX));
    }

    /// What the engine does with each fact.
    fn fact(
        &mut self,
        fact: impl FnOnce(&mut Outbound, &mut Ledger) -> Option<Verdict>,
    ) -> Option<Came> {
        let verdict = fact(&mut self.line, &mut self.memory);
        let came = verdict.map(|verdict| match verdict {
            Verdict::Stale => Err("stale"),
            Verdict::Ending(Ending::Fault { detail, .. }) => Err(detail),
            Verdict::Ending(Ending::Answer { status, .. }) => {
                let answer = self.line.answer();
                assert!(answer.head.ends_with(b"\n\r\n"), "{answer:?}");
                assert!(!answer.unfinished);
                Ok((status, answer.body.to_vec(), answer.truncated))
            }
        });
        assert_eq!(self.line.late_answer(), None);
        self.line.charge(&mut self.memory);
        assert_eq!(self.memory.held(), self.line.charged());
        came
    }

    fn receive(&mut self, bytes: &[u8]) -> Option<Came> {
        self.fact(|line, memory| line.received(NOW, memory, bytes))
    }

    fn end(&mut self, why: Ended) -> Option<Came> {
        self.fact(|line, _| line.ended(why))
    }

    /// The pieces, then the end of the line if it is not closed before. What came, exactly once.
    fn run<'p>(&mut self, pieces: impl Iterator<Item = &'p [u8]>, finish: bool) -> Option<Came> {
        let mut came = Vec::new();
        for piece in pieces.filter(|piece| !piece.is_empty()) {
            if self.line.is_gone() {
                break;
            }
            came.extend(self.receive(piece));
        }
        if finish && !self.line.is_gone() {
            came.extend(self.end(Ended::Finished));
        }
        assert!(came.len() < 2, "{came:?}");
        if !came.is_empty() {
            assert_eq!(self.line.held, 0, "it was handed over");
        }
        came.pop()
    }
}

/// All at once, in two pieces at every place, and byte by byte.
fn in_pieces(answer: &[u8], finish: bool, memory: u64, each: impl Fn(Option<Came>, &Outbound)) {
    for cut in 0..answer.len() {
        let mut world = World::new(memory);
        let (first, second) = answer.split_at(cut);
        let came = world.run([first, second].into_iter(), finish);
        each(came, &world.line);
    }
    let mut world = World::new(memory);
    let came = world.run(answer.chunks(1), finish);
    each(came, &world.line);
}

/// Answers, with their status and body, and whether the line may be used again.
const WHOLE: &[(&str, u16, &str, bool)] = &[
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        200,
        "hello",
        true,
    ),
    (
        "HTTP/1.1 404 N\r\nContent-Length: 8\r\n\r\n12345678",
        404,
        "12345678",
        true,
    ),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        200,
        "",
        true,
    ),
    ("HTTP/1.1 204 N\r\n\r\n", 204, "", true),
    (
        "HTTP/1.1 304 N\r\nContent-Length: 99\r\n\r\n",
        304,
        "",
        true,
    ),
    (
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
        200,
        "hi",
        false,
    ),
    (
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        200,
        "hi",
        false,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
             3;a=b\r\nabc\r\n05\r\ndefgh\r\n0\r\nX: y\r\n\r\n",
        200,
        "abcdefgh",
        true,
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        200,
        "",
        true,
    ),
    (
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nLink: <x>\r\n\r\n\
             HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        200,
        "hi",
        true,
    ),
    // What follows could be taken for another's answer.
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi!",
        200,
        "hi",
        false,
    ),
    (
        "HTTP/1.1 204 N\r\nContent-Length: 2\r\n\r\nhi",
        204,
        "",
        false,
    ),
];

#[test]
fn a_whole_answer_ends_the_call_wherever_it_is_cut() {
    for (answer, status, body, reusable) in WHOLE {
        in_pieces(answer.as_bytes(), false, 1 << 10, |came, line| {
            let expected = (*status, body.as_bytes().to_vec(), false);
            assert_eq!(came, Some(Ok(expected)), "{answer:?}");
            assert_eq!((line.is_ready(), line.is_gone()), (*reusable, !reusable));
        });
    }
}

#[test]
fn a_close_is_the_end_of_a_body_without_another() {
    for body in ["", "1", "12345678"] {
        let answer = format!("HTTP/1.1 200 OK\r\n\r\n{body}");
        in_pieces(answer.as_bytes(), true, 1 << 10, |came, line| {
            assert_eq!(came, Some(Ok((200, body.into(), false))));
            assert!(line.is_gone());
        });
        for why in [Ended::Reset, Ended::TimedOut, Ended::Broken] {
            let mut world = World::new(1 << 10);
            assert_eq!(world.receive(answer.as_bytes()), None);
            assert_eq!(world.end(why), Some(Err("reset_in_answer")), "{why:?}");
        }
        // Over TLS anybody on the way could have closed it.
        let mut world = World::new(1 << 10);
        assert_eq!(world.receive(answer.as_bytes()), None);
        let came = world.end(Ended::Unannounced);
        assert_eq!(came, Some(Err("closed_in_answer")));
    }
}

#[test]
fn too_long_a_body_ends_the_call_and_the_line() {
    let rows = [
        ("HTTP/1.1 200 OK\r\n\r\n123456789", "12345678"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n",
            "12345678",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n1\r\n9\r\n",
            "12345678",
        ),
        // It is not waited for.
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789", ""),
    ];
    for (answer, body) in rows {
        in_pieces(answer.as_bytes(), false, 1 << 10, |came, line| {
            assert_eq!(came, Some(Ok((200, body.into(), true))), "{answer:?}");
            assert!(line.is_gone());
        });
    }
}

#[test]
fn a_line_that_ends_inside_the_answer_fails_the_call() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for answer in [format!("{head}hello"), chunked.to_owned()] {
        for cut in 0..answer.len() {
            let part = &answer.as_bytes()[..cut];
            let ends = |why| {
                let mut world = World::new(1 << 10);
                assert_eq!(world.run(part.chunks(3), false), None);
                let came = world.end(why);
                assert!(world.line.is_gone() && world.line.held == 0);
                came.unwrap().unwrap_err()
            };
            let heard = cut > 0;
            let (closed, reset) = match heard {
                true => ("closed_in_answer", "reset_in_answer"),
                false => ("closed_before_answer", "reset_before_answer"),
            };
            assert_eq!(ends(Ended::Finished), closed, "{part:?}");
            assert_eq!(ends(Ended::Reset), reset, "{part:?}");
            assert_eq!(ends(Ended::Tls("tls_alert")), "tls_alert", "{part:?}");
            let mut world = World::new(1 << 10);
            assert_eq!(world.run(part.chunks(3), false), None);
            assert_eq!(
                world.line.deadline(),
                DEADLINE,
                "it is the whole exchange's"
            );
            let verdict = world.line.expired();
            let detail = if heard {
                "answer_unfinished"
            } else {
                "no_answer"
            };
            let fault = Fault::Timeout;
            assert_eq!(
                verdict,
                Some(Verdict::Ending(Ending::Fault { fault, detail }))
            );
        }
    }
}

#[test]
fn where_the_body_ends_is_never_guessed() {
    let rows = [
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX", "bad_chunk"),
        (
            "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n",
            "bad_chunk",
        ),
        (
            "Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "bad_framing",
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
            "bad_framing",
        ),
        (
            "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            "bad_framing",
        ),
        ("Content-Length: five\r\n\r\nhello", "bad_framing"),
    ];
    for (rest, detail) in rows {
        let answer = format!("HTTP/1.1 200 OK\r\n{rest}");
        in_pieces(answer.as_bytes(), true, 1 << 10, |came, line| {
            assert_eq!(came, Some(Err(detail)), "{rest:?}");
            assert!(line.is_gone());
        });
    }
}

#[test]
fn an_answer_that_memory_has_no_room_for_fails_the_call() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let answer = format!("{head}hello");
    for room in 0..answer.len() as u64 {
        in_pieces(answer.as_bytes(), true, room, |came, line| {
            assert_eq!(came, Some(Err(MEMORY_FULL)), "{room}");
            assert!(line.is_gone());
        });
    }
    // Beside what is kept the head is held once more, while it comes.
    in_pieces(answer.as_bytes(), false, 1 << 10, |came, _| {
        assert_eq!(came, Some(Ok((200, "hello".into(), false))));
    });
}

#[test]
fn what_is_held_is_on_the_account() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let mut world = World::new(1 << 10);
    world.receive(head.as_bytes());
    assert_eq!(world.line.held, head.len() as u64);
    world.receive(b"hell");
    assert_eq!(world.line.held, head.len() as u64 + 4);
    world.receive(b"o");
    assert_eq!(world.line.held, 0);
}

#[test]
fn an_answer_to_a_head_has_no_body() {
    let mut world = World::new(1 << 10);
    world.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    world.ask(true);
    world.line.wrote(REQUEST.len());
    let came = world.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    assert_eq!(came, Some(Ok((200, vec![], false))));
    assert!(world.line.is_ready());
}

#[test]
fn a_kept_alive_line_that_was_dead_is_stale() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    for why in [Ended::Finished, Ended::Reset] {
        let mut world = World::new(1 << 10);
        world.receive(answer);
        world.ask(false);
        world.line.wrote(REQUEST.len());
        assert_eq!(world.end(why), Some(Err("stale")));
        let mut world = World::new(1 << 10);
        world.receive(answer);
        world.ask(false);
        world.line.wrote(REQUEST.len());
        world.receive(&answer[..answer.len() - 1]);
        assert!(world.end(why).unwrap().unwrap_err().ends_with("_in_answer"));
    }
}

#[test]
fn an_answer_that_overtakes_its_request_is_read_and_its_line_closed() {
    let mut world = World::after(1 << 10, REQUEST.len() - 1);
    assert_eq!(
        world.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"),
        None
    );
    assert!(
        !world.line.has_output(),
        "the rest of the request is of no use"
    );
    assert_eq!(world.receive(b"lo"), Some(Ok((200, "hello".into(), false))));
    assert!(world.line.is_gone());
}

/// On a line that had another's answer it may be the rest of what came there.
#[test]
fn an_answer_that_overtakes_its_head_on_a_used_line_is_nobodys() {
    for (written, came) in [
        (0, Err("stale")),
        (REQUEST.len() - 1, Err("stale")),
        (REQUEST.len(), Ok((200, "hello".into(), false))),
    ] {
        let mut world = World::new(1 << 10);
        world.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        world.ask(false);
        world.line.wrote(written);
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(world.receive(answer), Some(came), "{written}");
        assert_eq!(world.line.is_gone(), written < REQUEST.len());
    }
}

#[test]
fn a_whole_answer_says_where_it_sends_us() {
    let mut world = World::new(1 << 10);
    let answer = b"HTTP/1.1 302 F\r\nLocation: /x\r\nContent-Length: 2\r\n\r\nhi";
    let verdict = world.line.received(NOW, &mut world.memory, answer);
    assert!(verdict.is_some());
    let answer = world.line.answer();
    assert_eq!(
        (answer.location, answer.body),
        (Some(&b"/x"[..]), &b"hi"[..])
    );
}
