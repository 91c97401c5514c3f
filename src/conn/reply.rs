//! What a client gets, in the order it asked: replies wait here until their message is durable.
//! It writes answers into a buffer and never touches a socket or decides on a request.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::http::problem::Problem;
use crate::http::request::Version;
use crate::http::write::{self, Answer, How};
use crate::model::{MessageId, TopicNames};
use crate::port::Seq;

mod form;

use form::{DURABILITY, accepted_json, write_accepted, write_methods, write_preflight};
use form::{write_problem, write_told};

/// The answer to one request.
#[derive(Debug)]
pub enum Reply {
    /// An interim 100 (RFC 9110 section 10.1.1): the body may come.
    Continue,
    /// 202: the message was taken (dispatch.md section 5).
    Accepted {
        /// The message's id.
        id: MessageId,
        /// Whether the client asked for JSON.
        json: bool,
        /// Whether it is kept in memory only, which the answer must say.
        volatile: bool,
        /// How far it goes, for JSON, if it has topics.
        reach: Option<Box<Reach>>,
        /// It was taken before, under the same key.
        duplicate: bool,
    },
    /// 202: what became of each message of a batch, as JSON. It is on the account of memory.
    Batch {
        /// The array.
        body: Vec<u8>,
        /// Whether they are kept in memory only.
        volatile: bool,
    },
    /// The line becomes a stream when this comes to the front; it is the line's last reply.
    Stream,
    /// The answer is made when this comes to the front, and may have to wait there.
    Poll {
        /// Whether it is the line's last.
        last: bool,
    },
    /// That answer, and the scripts of an origin may read it.
    Shared {
        /// The origin, or `*`.
        origin: Arc<str>,
        /// The answer.
        reply: Box<Reply>,
    },
    /// The answer is not known yet: `settle` brings it under the same number.
    Held(u64),
    /// What was asked for, as JSON.
    Told(Box<Told>),
    /// 204: which methods are allowed (RFC 9110 section 9.3.7).
    Methods(&'static str),
    /// The same, and what scripts of the origin may send (Fetch standard, section 3.3).
    Preflight(Box<Preflight>),
    /// A short text.
    Text {
        /// The status.
        status: u16,
        /// The media type; empty where there is no body.
        content_type: &'static str,
        /// Fields of its own.
        fields: &'static [(&'static str, &'static str)],
        /// The body.
        body: Cow<'static, str>,
    },
    /// A refusal, from the one table.
    Problem {
        /// Why.
        problem: Problem,
        /// Whether the client asked for problem+json (RFC 9457).
        json: bool,
        /// The Allow field, with a 405.
        allow: Option<&'static str>,
        /// Retry-After in seconds, with a 429 or 503.
        retry_after: Option<u32>,
    },
}

impl Reply {
    /// The answer itself, whoever may read it.
    #[must_use]
    pub fn bare(&self) -> &Reply {
        match self {
            Reply::Shared { reply, .. } => reply.bare(),
            reply => reply,
        }
    }

    /// Bytes of it that a client chose the size of.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self.bare() {
            Reply::Batch { body, .. } => body.len() as u64,
            Reply::Told(told) => told.body.len() as u64,
            _ => 0,
        }
    }

    /// Bytes that it holds besides its place.
    #[must_use]
    pub fn weight(&self) -> u64 {
        match self.bare() {
            Reply::Text {
                body: Cow::Owned(body),
                ..
            } => body.capacity() as u64,
            Reply::Accepted {
                reach: Some(reach), ..
            } => (size_of::<Reach>() + reach.topics.as_bytes().len()) as u64,
            reply => reply.bytes(),
        }
    }

    /// Whether it is made for who looks, and nothing is lost if it is not told.
    #[must_use]
    pub fn only_shows(&self) -> bool {
        matches!(self.bare(), Reply::Text { .. })
    }

    /// Whether it is JSON, and so is what takes its place.
    fn is_json(&self) -> bool {
        matches!(
            self,
            Reply::Accepted { json: true, .. } | Reply::Batch { .. }
        )
    }

    /// The same answer, for scripts of that origin too.
    #[must_use]
    pub fn shared(self, origin: Option<Arc<str>>) -> Reply {
        match origin {
            Some(origin) => Reply::Shared {
                origin,
                reply: Box::new(self),
            },
            None => self,
        }
    }
}

/// An answer that was made for this request alone.
#[derive(Debug, Default)]
pub struct Told {
    /// The status.
    pub status: u16,
    /// Fields of its own.
    pub fields: Vec<(&'static str, String)>,
    /// The body, which is JSON.
    pub body: Vec<u8>,
}

/// What a browser is told before it sends what a script asks it to.
#[derive(Debug, Default)]
pub struct Preflight {
    /// The methods that are allowed.
    pub allow: &'static str,
    /// The names of fields that it asked for, all of them tokens.
    pub fields: Vec<Box<str>>,
    /// Whether it asked about the network as well: the page comes from a public one.
    pub private: bool,
}

/// Whom a message with topics goes to besides its own targets, as of its acceptance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Its topics.
    pub topics: TopicNames,
    /// Streams that read any of them.
    pub streams: usize,
    /// Callbacks that subscribed to any of them.
    pub callbacks: usize,
}

/// What of the request decides how its answer is framed.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// The client's version; 1.0 never sees an interim answer.
    pub version: Version,
    /// HEAD: the same head, no body.
    pub head_only: bool,
    /// Whether another request may follow on this line.
    pub keep_alive: bool,
}

impl Manner {
    fn how<'a>(&self, date: &'a str, origin: Option<&'a str>) -> How<'a> {
        How {
            keep_alive: self.keep_alive,
            version: self.version,
            head_only: self.head_only,
            date,
            origin,
        }
    }
}

#[derive(Debug)]
struct Pending {
    seq: Seq,
    reply: Reply,
    manner: Manner,
    origin: Option<Arc<str>>,
}

/// The replies a line still owes, in the order of their requests.
#[derive(Debug, Default)]
pub struct Replies {
    queue: VecDeque<Pending>,
    /// Bytes that they hold besides their places.
    held: u64,
}

/// Places for replies that are kept for the next request or line.
const KEPT_MAX: usize = 8;

impl Replies {
    /// Bytes of memory that they keep once none is owed.
    pub const KEPT_BYTES: usize = KEPT_MAX * size_of::<Pending>();

    /// Gives memory back that many replies at once took.
    pub fn shrink(&mut self) {
        self.queue.shrink_to(KEPT_MAX);
    }

    /// A reply that may go once the store has made everything up to `seq` durable; 0 at once.
    pub fn push(&mut self, seq: Seq, reply: Reply, manner: Manner) {
        let (reply, origin) = match reply {
            Reply::Shared { origin, reply } => (*reply, Some(origin)),
            reply => (reply, None),
        };
        self.held += reply.weight();
        self.queue.push_back(Pending {
            seq,
            reply,
            manner,
            origin,
        });
    }

    /// Bytes of memory that they take.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.held + (self.queue.capacity() * size_of::<Pending>()) as u64
    }

    /// How many are owed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none is owed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The one at the back is the line's last: it says so.
    pub fn close_after_last(&mut self) {
        if let Some(last) = self.queue.back_mut() {
            last.manner.keep_alive = false;
        }
    }

    /// What was accepted up to `seq` and is not durable was lost by the store: refused after all.
    /// Gives the number of those.
    pub fn fail(&mut self, durable: Seq, seq: Seq, problem: &Problem) -> u64 {
        let mut refused = 0;
        for pending in &mut self.queue {
            if pending.seq > durable && pending.seq <= seq {
                refused += 1;
                pending.seq = 0;
                let problem = problem.clone();
                let json = pending.reply.is_json();
                self.held -= pending.reply.weight();
                pending.reply = Reply::Problem {
                    problem,
                    json,
                    allow: None,
                    retry_after: Some(1),
                };
                self.held += pending.reply.weight();
            }
        }
        refused
    }

    /// The answer that was held under that number is known now; it goes once the store has made
    /// everything up to `seq` durable. Whether anybody still waits for it.
    pub fn settle(&mut self, number: u64, seq: Seq, reply: Reply) -> bool {
        let is_it =
            |pending: &&mut Pending| matches!(pending.reply, Reply::Held(it) if it == number);
        let Some(pending) = self.queue.iter_mut().find(is_it) else {
            return false;
        };
        self.held += reply.weight();
        pending.seq = pending.seq.max(seq);
        pending.reply = reply;
        true
    }

    /// Whether the line becomes a stream now: that is what comes next, and it is taken.
    pub fn take_stream(&mut self) -> bool {
        let front = self.queue.front();
        let begins = front.is_some_and(|pending| matches!(pending.reply, Reply::Stream));
        if begins {
            self.queue.pop_front();
        }
        begins
    }

    /// How the answer goes that is to be made now, if one is.
    #[must_use]
    pub fn poll(&self) -> Option<Manner> {
        let front = self.queue.front()?;
        matches!(front.reply, Reply::Poll { .. }).then_some(front.manner)
    }

    /// The answer that was to be made is written by `write`, in its place.
    pub fn answer(&mut self, date: &str, write: impl FnOnce(&How<'_>)) {
        if self.poll().is_some()
            && let Some(Pending { manner, origin, .. }) = self.queue.pop_front()
        {
            write(&manner.how(date, origin.as_deref()));
        }
    }

    /// Writes what may go now to `out`, in order. `date` is the text of the Date field.
    pub fn render(&mut self, durable: Seq, out: &mut Vec<u8>, date: &str) {
        while let Some(pending) = self.queue.front()
            && pending.seq <= durable
            && !matches!(
                pending.reply,
                Reply::Stream | Reply::Held(_) | Reply::Poll { .. }
            )
        {
            write_reply(out, pending, date);
            self.held -= pending.reply.weight();
            self.queue.pop_front();
        }
    }
}

fn write_reply(out: &mut Vec<u8>, pending: &Pending, date: &str) {
    let Pending { reply, manner, .. } = pending;
    let how = manner.how(date, pending.origin.as_deref());
    match reply {
        // `take_stream` takes it; it writes nothing here.
        Reply::Stream => {}
        // `settle` puts the answer in its place.
        Reply::Held(_) => {}
        // `answer` writes what takes its place, and `push` takes off what is around the other.
        Reply::Poll { .. } | Reply::Shared { .. } => {}
        Reply::Continue => out.extend_from_slice(write::CONTINUE),
        Reply::Accepted {
            id,
            json,
            volatile,
            reach,
            duplicate,
        } => {
            let body = json.then(|| accepted_json(*id, reach.as_deref()));
            write_accepted(out, *id, body.as_deref(), (*volatile, *duplicate), &how);
        }
        Reply::Batch { body, volatile } => {
            let answer = Answer {
                status: 202,
                content_type: Some("application/json"),
                fields: if *volatile { &[DURABILITY] } else { &[] },
                body,
            };
            write::answer(out, &answer, &how);
        }
        Reply::Told(told) => write_told(out, told, &how),
        Reply::Methods(allow) => write_methods(out, allow, &how),
        Reply::Preflight(preflight) => write_preflight(out, preflight, &how),
        Reply::Text {
            status,
            content_type,
            fields,
            body,
        } => {
            let content_type = Some(*content_type).filter(|it| !it.is_empty());
            let answer = Answer {
                status: *status,
                content_type,
                fields,
                body: body.as_bytes(),
            };
            write::answer(out, &answer, &how);
        }
        Reply::Problem {
            problem,
            json,
            allow,
            retry_after,
        } => {
            write_problem(out, problem, *json, *allow, *retry_after, &how);
        }
    }
}

#[cfg(test)]
mod tests;
