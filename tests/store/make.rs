//! Messages, work and attempts for the cases, with what a case does not care about filled in.
//! It knows no store.

use std::borrow::Cow;
use std::sync::Arc;

use hookah::base::frame::Frame;
use hookah::base::time::Wall;
use hookah::http::target;
use hookah::model::record::{Answered, Attempt, End, Place, Work};
use hookah::model::{Extra, Message, MessageId, Method, Outcome, Target, TopicNames};
use hookah::port::StoreOp;

/// Long before any test runs: 2001-09-09.
pub const PAST: Wall = Wall(1_000_000_000_000_000);
/// Long after: 2096-10-02.
pub const FUTURE: Wall = Wall(4_000_000_000_000_000);

/// The id of the message with that number.
pub fn id(number: u64) -> MessageId {
    MessageId(u128::from(number) << 64 | 0x0123_4567_89AB_CDEF)
}

/// The id of the `n`-th message of a case; all of them were accepted in the past, a second apart.
pub fn nth(n: u64) -> MessageId {
    id((PAST.millis() + 1000 * n) << 16)
}

/// The time that an id tells.
pub fn accepted(id: MessageId) -> Wall {
    Wall((id.number() >> 16) * 1000)
}

/// A message with that body and nothing else.
pub fn message(id: MessageId, body: &[u8]) -> Message {
    Message {
        id,
        accepted: accepted(id),
        content_type: Cow::Borrowed("text/plain"),
        body: Frame::copy_of(body),
        topics: TopicNames::default(),
        method: Method::Post,
        hops: 0,
        extra: None,
    }
}

/// A message with everything that a message can bring along.
pub fn rich(id: MessageId, topics: &[&[u8]], label: &str) -> Message {
    Message {
        content_type: Cow::Owned("application/x-odd; q=\"1\"".to_owned()),
        topics: TopicNames::of(topics.iter().copied()),
        method: Method::Put,
        hops: 3,
        extra: Some(Box::new(Extra {
            fields: b"\r\nx-one: 1\r\nx-two: \xE9".as_slice().into(),
            label: Some(label.into()),
            event: Some("event name".into()),
            options: "retries=3&timeout=5s&secret=whsec_abc".into(),
            resend_of: Some(MessageId(id.0 - (1 << 80))),
        })),
        ..message(id, &[0, 255, 13, 10, 0])
    }
}

/// A target as the server would have made it of that URL.
pub fn target(url: &str) -> Arc<Target> {
    match target::parse(url) {
        Ok(target) => Arc::new(target),
        Err(problem) => panic!("{url}: {problem:?}"),
    }
}

/// It is to be kept.
pub fn accept(message: &Arc<Message>) -> StoreOp {
    StoreOp::Accept {
        message: Arc::clone(message),
        promised: false,
    }
}

/// A place in a lane ordered by time.
pub fn at(lane: u64, due: Wall, parked: bool) -> Place {
    Place {
        lane,
        rank: due.0,
        due,
        parked,
    }
}

/// A delivery that has just been accepted.
pub fn work(id: MessageId, number: u32, place: Place) -> Work {
    Work {
        id,
        number,
        target: target(&format!("http://127.0.0.1:9/{number}")),
        place,
        expires: Wall(FUTURE.0 + 1),
        attempts: 0,
        subscription: 0,
    }
}

/// An attempt that failed without an answer.
pub fn attempt(number: u32) -> Attempt {
    Attempt {
        attempt: number,
        at: Wall(PAST.0 + u64::from(number)),
        took: 1234,
        status: 0,
        error: Cow::Borrowed("connect"),
        detail: Cow::Borrowed("refused"),
        answer: None,
    }
}

/// An attempt that was answered.
pub fn answered(number: u32, status: u16, body: &[u8]) -> Attempt {
    Attempt {
        status,
        error: Cow::Borrowed(if status < 300 { "" } else { "status" }),
        detail: Cow::Borrowed(""),
        answer: Some(Box::new(Answered {
            head: format!("HTTP/1.1 {status} So\r\nX: \r\n\r\n")
                .into_bytes()
                .into(),
            body: body.into(),
            truncated: false,
        })),
        ..attempt(number)
    }
}

/// The end of such a delivery.
pub fn end(work: &Work, outcome: Outcome, attempt: Option<Attempt>) -> StoreOp {
    StoreOp::End {
        id: work.id,
        number: work.number,
        end: End {
            outcome,
            detail: if attempt.is_some() { "" } else { "called_off" },
            at: Wall(PAST.0 + 77),
            target: Arc::clone(&work.target),
        },
        attempt,
    }
}
