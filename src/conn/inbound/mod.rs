//! A client's line: bytes in, requests to the service, answers out in order.
//! It knows HTTP's framing and its own deadlines, and never what a request means.

use std::mem;
use std::net::IpAddr;
use std::time::Duration;

use crate::base::buf::Pool;
use crate::base::frame::Gather;
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::Mono;
use crate::conn::Limits;
use crate::conn::reply::{Manner, Reply};
use crate::http::body::BodyReader;
use crate::http::problem::Problem;
use crate::http::request::Request;
use crate::http::write::How;
use crate::model::Visitor;
use crate::port::{Action, Seq, Turn};

mod account;
mod desk;
mod feed;
mod pace;
mod times;

use account::spread;
pub use desk::Desk;
use pace::Pace;

/// Whoever knows what requests mean.
pub trait Service {
    /// At the end of a head: whether the request may go on, before a byte of its body is read or
    /// asked for (rights, path, method, size).
    fn judge(&mut self, turn: &mut Turn, request: &Request<'_>) -> Result<(), Reply>;

    /// The whole request. The reply leaves once the store has made everything up to the number
    /// durable; 0 for at once.
    fn serve(&mut self, turn: &mut Turn, request: &Request<'_>, body: &[u8]) -> (Seq, Reply);

    /// A refusal that only the body gave reason for, as the request's client may read it.
    fn shared(&self, request: &Request<'_>, reply: Reply) -> Reply;
}

/// What lines of this kind share.
#[derive(Debug)]
pub struct Context<'a> {
    /// The turn.
    pub turn: &'a mut Turn,
    /// Bounds.
    pub limits: &'a Limits,
    /// Working places not in use.
    pub desks: &'a mut Pool<Box<Desk>>,
    /// The Date field's text.
    pub date: &'a str,
    /// Everything accepted up to here is durable.
    pub durable: Seq,
    /// The server is stopping: each line's next answer is its last.
    pub draining: bool,
}

/// While the server stops, a client that has just had an answer, or just come, is given so long to
/// ask once more, and that answer says that it was the last. Closed at once, its next request would
/// already be on its way, and be lost.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// The states of a client's line.
///
/// ```text
///  Securing (TLS) ─ connected ► Idle
///
///            head complete, body to come            body complete
///  Idle ──► Head ─────────────────────────► Body ──────────────► Idle
///   ▲         │ refused, body to come ► Skip ──► Idle
///   └─────────┘ complete                 │
///  any ──► Last (no more requests) ──► Linger ──► Gone
/// ```
#[derive(Debug)]
enum Phase {
    /// TLS's handshake is under way.
    Securing { since: Mono },
    /// Between requests.
    Idle,
    /// Part of a head has come.
    Head { since: Mono },
    /// A request's body is coming.
    Body { reader: BodyReader, pace: Pace },
    /// The body of a refused request is coming, and is dropped.
    Skip { reader: BodyReader, pace: Pace },
    /// Nothing more is read; what is owed is answered.
    Last,
    /// All is sent and our half is shut; what still comes is dropped (RFC 9112 section 9.6).
    Linger { since: Mono, dropped: usize },
    /// To be closed at once.
    Gone,
}

/// What is dropped at most while lingering.
const LINGER_BYTES_MAX: usize = 256 << 10;

/// A client's line.
#[derive(Debug)]
pub struct Inbound {
    visitor: Visitor,
    phase: Phase,
    /// The peer has sent its FIN.
    finished: bool,
    paused: bool,
    /// Its answer waits for what may come; meanwhile the client's end has to be noticed.
    awaits: bool,
    /// Bytes of its desk on the account of memory.
    held: u64,
    /// Bytes that came behind the line's last request.
    ignored: usize,
    /// When bytes last came or went.
    moved: Mono,
    /// When unsent output began to wait or last got shorter.
    stalled_since: Mono,
    desk: Option<Box<Desk>>,
}

impl Inbound {
    /// A line on which nothing has come yet. One with TLS has its handshake first.
    #[must_use]
    pub fn new(visitor: Visitor, now: Mono) -> Inbound {
        Inbound {
            visitor,
            phase: match visitor.secure {
                true => Phase::Securing { since: now },
                false => Phase::Idle,
            },
            finished: false,
            paused: false,
            awaits: false,
            held: 0,
            ignored: 0,
            moved: now,
            stalled_since: now,
            desk: None,
        }
    }

    /// The client's address.
    #[must_use]
    pub fn peer(&self) -> IpAddr {
        self.visitor.peer
    }

    /// Who the client is, as far as its connection tells.
    #[must_use]
    pub fn visitor(&self) -> Visitor {
        self.visitor
    }

    /// Bytes that came behind the line's last request.
    #[must_use]
    pub fn ignored(&self) -> usize {
        self.ignored
    }

    /// TLS's handshake is done; false if none was under way.
    pub fn connected(&mut self, now: Mono) -> bool {
        let was = self.is_securing();
        if was {
            (self.phase, self.moved) = (Phase::Idle, now);
        }
        was
    }

    /// Whether TLS's handshake is under way.
    #[must_use]
    pub fn is_securing(&self) -> bool {
        matches!(self.phase, Phase::Securing { .. })
    }

    /// Bytes came.
    pub fn received(
        &mut self,
        context: &mut Context<'_>,
        service: &mut impl Service,
        bytes: &[u8],
    ) {
        self.moved = context.turn.now.mono;
        // Nothing can be read before it is secure: whoever tells us so is wrong about the line.
        if self.is_securing() {
            self.phase = Phase::Gone;
            return;
        }
        if let Phase::Linger { dropped, .. } = &mut self.phase {
            *dropped += bytes.len();
            if *dropped > LINGER_BYTES_MAX {
                self.phase = Phase::Gone;
            }
            return;
        }
        let mut desk = self
            .desk
            .take()
            .or_else(|| context.desks.take())
            .unwrap_or_default();
        let mut unread = mem::take(&mut desk.unread);
        if unread.is_empty() {
            let used = self.feed(context, service, &mut desk, bytes);
            unread.append(&bytes[used..]);
        } else {
            unread.append(bytes);
            let used = self.feed(context, service, &mut desk, unread.as_slice());
            unread.consume(used);
        }
        desk.unread = unread;
        self.afford(context, &mut desk);
        self.desk = Some(desk);
        self.send(context);
    }

    /// Writes what may go now into the line's buffer, and gives the desk back if it is not needed.
    pub fn send(&mut self, context: &mut Context<'_>) {
        self.close_if_draining(context);
        let Some(desk) = &mut self.desk else { return };
        let had = desk.unsent();
        desk.replies
            .render(context.durable, &mut desk.out, context.date);
        if had == 0 && desk.unsent() > 0 {
            self.stalled_since = context.turn.now.mono;
        }
        self.rest(context);
    }

    /// Whether the line becomes a stream now: everything asked before it is answered and sent.
    pub fn take_stream(&mut self) -> bool {
        let desk = self.desk.as_mut().filter(|desk| desk.unsent() == 0);
        desk.is_some_and(|desk| desk.replies.take_stream())
    }

    fn close_if_draining(&mut self, context: &Context<'_>) {
        let Some(desk) = &mut self.desk else { return };
        if context.draining && matches!(self.phase, Phase::Idle) && !desk.replies.is_empty() {
            desk.replies.close_after_last();
            self.phase = Phase::Last;
        }
    }

    /// How the answer goes that is to be made now: everything asked before it is answered and sent.
    #[must_use]
    pub fn poll(&self) -> Option<Manner> {
        let desk = self.desk.as_ref().filter(|desk| desk.unsent() == 0);
        desk.and_then(|desk| desk.replies.poll())
    }

    /// What the answer is made of has yet to come.
    pub fn wait(&mut self, context: &mut Context<'_>, key: Key) {
        if matches!(self.phase, Phase::Last) && !self.awaits {
            context.turn.actions.push_back(Action::Resume { key });
        }
        self.awaits = true;
    }

    /// The answer is made now. `charged` bytes of it are on the account of memory until it is sent.
    pub fn answer(
        &mut self,
        context: &mut Context<'_>,
        charged: u64,
        write: impl FnOnce(&mut Vec<u8>, &How<'_>),
    ) {
        self.awaits = false;
        self.close_if_draining(context);
        if let Some(desk) = &mut self.desk {
            let Desk { replies, out, .. } = &mut **desk;
            replies.answer(context.date, |how| write(out, how));
            self.stalled_since = context.turn.now.mono;
        }
        // From here on the buffer counts.
        context.turn.memory.give(charged);
        self.send(context);
    }

    /// The answer that was held under that number is known now, and goes once everything up to
    /// `seq` is durable.
    pub fn settle(&mut self, context: &mut Context<'_>, number: u64, seq: Seq, mut reply: Reply) {
        spread(context.turn, &mut reply);
        let refused = u64::from(matches!(reply, Reply::Problem { .. }));
        // From here on it counts as a part of the desk, if it has a place there.
        context.turn.memory.give(reply.bytes());
        let settled = match &mut self.desk {
            Some(desk) => desk.replies.settle(number, seq, reply),
            None => false,
        };
        if settled {
            context.turn.stats.add(Counter::RequestsRefused, refused);
        }
        self.send(context);
    }

    /// The store lost what was accepted up to `seq` and is not durable.
    pub fn refuse_lost(&mut self, context: &mut Context<'_>, seq: Seq, problem: &Problem) {
        if let Some(desk) = &mut self.desk {
            let refused = desk.replies.fail(context.durable, seq, problem);
            context.turn.stats.add(Counter::RequestsRefused, refused);
        }
        self.send(context);
    }

    /// Appends what is to be written.
    pub fn outgoing<'a>(&'a self, gather: &mut Gather<'a>) {
        if let Some(desk) = &self.desk {
            gather.push(&desk.out[desk.sent..]);
        }
    }

    /// That many bytes were accepted.
    pub fn wrote(&mut self, context: &mut Context<'_>, bytes: usize) {
        let now = context.turn.now.mono;
        let Some(desk) = &mut self.desk else { return };
        debug_assert!(bytes <= desk.unsent(), "more was written than there was");
        desk.sent = (desk.sent + bytes).min(desk.out.len());
        (self.moved, self.stalled_since) = (now, now);
        if desk.unsent() > 0 {
            return;
        }
        desk.sent_all();
        self.rest(context);
    }

    /// Once nothing is owed on a line that takes no more requests, our half is shut, and what still
    /// comes is dropped. While the server stops, that is so of a line that has had its last chance.
    pub fn part(&mut self, context: &mut Context<'_>, key: Key) {
        let ends = match self.phase {
            Phase::Last => true,
            Phase::Idle => context.draining && self.last_chance() <= context.turn.now.mono,
            _ => false,
        };
        if !ends || self.desk.as_ref().is_some_and(|desk| desk.owes()) {
            return;
        }
        if self.finished {
            self.phase = Phase::Gone;
            return;
        }
        self.phase = Phase::Linger {
            since: context.turn.now.mono,
            dropped: 0,
        };
        context.turn.actions.push_back(Action::Shutdown { key });
        context.turn.actions.push_back(Action::Resume { key });
        self.rest(context);
    }

    /// Ends a pause if what caused it is over; true if the caller should go on with `received`.
    /// What the client sent meanwhile was not read, so the time does not count against it.
    pub fn unpause(&mut self, now: Mono, tight: bool) -> bool {
        let full = self.desk.as_ref().is_some_and(|desk| desk.is_full(tight));
        let ends = self.paused && !full;
        self.paused &= !ends;
        if ends {
            self.moved = now;
            match &mut self.phase {
                Phase::Head { since } => *since = now,
                Phase::Body { pace, .. } | Phase::Skip { pace, .. } => *pace = Pace::new(now),
                _ => {}
            }
        }
        ends
    }

    fn rest(&mut self, context: &mut Context<'_>) {
        let idle = matches!(self.phase, Phase::Idle | Phase::Linger { .. } | Phase::Gone);
        let Some(mut desk) = self.desk.take() else {
            return;
        };
        if idle && desk.is_clear() {
            context.turn.memory.give(mem::take(&mut self.held));
            desk.trim();
            context.desks.give(desk);
            return;
        }
        self.weigh(&mut context.turn.memory, &desk);
        self.desk = Some(desk);
    }

    /// Until when an idle line waits for its last request.
    fn last_chance(&self) -> Mono {
        self.moved + LAST_CHANCE
    }

    /// The client has sent its FIN. A complete request is still answered.
    pub fn finish(&mut self) {
        self.finished = true;
        let owes = self.desk.as_ref().is_some_and(|desk| desk.owes());
        self.phase = match self.phase {
            Phase::Linger { .. } | Phase::Gone => Phase::Gone,
            _ if owes => Phase::Last,
            _ => Phase::Gone,
        };
    }

    /// The line is of no use any more.
    pub fn abandon(&mut self) {
        self.phase = Phase::Gone;
    }

    /// The server stops: a line that has been idle for a while ends now, others with their next
    /// answer.
    pub fn drain(&mut self, now: Mono) {
        let owes = self.desk.as_ref().is_some_and(|desk| desk.owes());
        let ends = match self.phase {
            Phase::Idle => !owes && self.last_chance() <= now,
            Phase::Securing { .. } => true,
            _ => false,
        };
        if ends {
            self.phase = Phase::Gone;
        }
    }

    /// Whether bytes wait to be written.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.desk.as_ref().is_some_and(|desk| desk.unsent() > 0)
    }

    /// Whether the line takes bytes now.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        let reads = match self.phase {
            Phase::Last => self.awaits,
            Phase::Gone => false,
            _ => true,
        };
        reads && !self.paused
    }

    /// Whether the client has finished sending.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether the line is to be closed.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone)
    }

    /// The line was taken out of the slab: what it holds goes back.
    pub fn dismantle(self, context: &mut Context<'_>) {
        context.turn.memory.give(self.held);
        if let Some(mut desk) = self.desk {
            desk.clear();
            context.desks.give(desk);
        }
    }
}
