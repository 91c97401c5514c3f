//! A client's bytes become requests: heads, bodies, and what happens to those that are refused.
//! It moves the line from state to state and never looks at deadlines or at output.

use std::mem;

use super::account::{affordable, spread};
use super::desk::Desk;
use super::pace::Pace;
use super::{Context, Inbound, Phase, Service};
use crate::base::stats::{Counter, Stats};
use crate::conn::reply::{Manner, Reply};
use crate::http::body::BodyReader;
use crate::http::head::{HeadLimits, HeadScan};
use crate::http::problem::{Problem, Reason};
use crate::http::request::{self, BodyKind, Request, Version};
use crate::model::Method;
use crate::port::Seq;

/// A refused body up to this size is read so that the line can be kept.
const SKIP_BYTES_MAX: u64 = 64 << 10;

/// Counts a refusal at one of the bounds on a request's size.
fn count_bound(stats: &mut Stats, reason: Reason) {
    let counter = match reason {
        Reason::HeadTooLarge | Reason::TooManyFields | Reason::TargetTooLong => {
            Counter::HeadsRefused
        }
        Reason::BodyTooLarge => Counter::BodiesRefused,
        _ => return,
    };
    stats.add(counter, 1);
}

impl Inbound {
    /// Goes through `input` as far as it makes requests; how many bytes were used.
    pub(super) fn feed(
        &mut self,
        context: &mut Context<'_>,
        service: &mut impl Service,
        desk: &mut Desk,
        input: &[u8],
    ) -> usize {
        let mut used = 0;
        loop {
            if !self.paused && desk.is_full(context.is_tight()) {
                context.turn.stats.add(Counter::ReadsPaused, 1);
                self.paused = true;
            }
            let rest = &input[used..];
            if self.paused || rest.is_empty() {
                return used;
            }
            let step = match &self.phase {
                Phase::Idle | Phase::Head { .. } => self.feed_head(context, service, desk, rest),
                Phase::Body { .. } | Phase::Skip { .. } => {
                    self.feed_body(context, service, desk, rest)
                }
                // What follows the last request is never interpreted.
                Phase::Securing { .. } | Phase::Last | Phase::Linger { .. } | Phase::Gone => {
                    self.ignored = self.ignored.saturating_add(rest.len());
                    return input.len();
                }
            };
            match step {
                Some(bytes) => used += bytes,
                None => return used,
            }
        }
    }

    pub(super) fn feed_head(
        &mut self,
        context: &mut Context<'_>,
        service: &mut impl Service,
        desk: &mut Desk,
        rest: &[u8],
    ) -> Option<usize> {
        let limits = HeadLimits {
            head_bytes_max: context.limits.head_bytes_max,
            target_bytes_max: context.limits.target_bytes_max,
            fields_max: context.limits.fields_max,
        };
        let end = match desk.scan.scan(rest, &limits) {
            Ok(Some(end)) => end,
            Ok(None) => {
                // Empty lines are no request yet (RFC 9112 section 2.2): the line is still idle.
                if matches!(self.phase, Phase::Idle) && desk.scan.begun() {
                    self.phase = Phase::Head {
                        since: context.turn.now.mono,
                    };
                }
                return None;
            }
            Err(reason) => {
                // The desk may soon be another line's, which must not inherit how far this one got.
                desk.scan = HeadScan::default();
                return self.refuse(context, desk, reason, rest);
            }
        };
        desk.scan = HeadScan::default();
        self.phase = Phase::Idle;
        let head = &rest[end.start..end.len];
        let mut slots = request::slots();
        match request::parse(head, &mut slots) {
            Err(reason) => self.refuse(context, desk, reason, rest),
            Ok(request) => {
                let after = &rest[end.len..];
                let body = self.begin(context, service, desk, &request, head, after);
                Some(end.len + body)
            }
        }
    }

    /// A complete head. Returns how many bytes of what follows it were used as its body.
    pub(super) fn begin(
        &mut self,
        context: &mut Context<'_>,
        service: &mut impl Service,
        desk: &mut Desk,
        request: &Request<'_>,
        head: &[u8],
        after: &[u8],
    ) -> usize {
        context.turn.stats.add(Counter::Requests, 1);
        let manner = Manner {
            version: request.version,
            head_only: request.method == Method::Head,
            keep_alive: request.keep_alive && !context.draining,
        };
        if let Err(reply) = service.judge(context.turn, request) {
            self.turn_away(context, desk, request, reply, manner);
            return 0;
        }
        match request.body {
            BodyKind::None => self.serve(context, service, desk, request, &[], manner),
            BodyKind::Length(bytes) if bytes <= after.len() as u64 => {
                let bytes = bytes as usize;
                self.serve(context, service, desk, request, &after[..bytes], manner);
                return bytes;
            }
            kind => {
                let reader = match BodyReader::new(kind, context.limits.body_bytes_max as u64) {
                    Ok(reader) => reader,
                    Err(reason) => {
                        self.refuse(context, desk, reason, head);
                        return after.len();
                    }
                };
                desk.head.extend_from_slice(head);
                if request.expect_continue && after.is_empty() {
                    desk.replies.push(0, Reply::Continue, manner);
                }
                self.phase = Phase::Body {
                    reader,
                    pace: Pace::new(context.turn.now.mono),
                };
            }
        }
        0
    }

    pub(super) fn serve(
        &mut self,
        context: &mut Context<'_>,
        service: &mut impl Service,
        desk: &mut Desk,
        request: &Request<'_>,
        body: &[u8],
        manner: Manner,
    ) {
        let (seq, reply) = service.serve(context.turn, request, body);
        self.owe(context, desk, seq, reply, manner);
    }

    /// Whatever a request comes to is owed to its client, in the order of the requests.
    fn owe(
        &mut self,
        context: &mut Context<'_>,
        desk: &mut Desk,
        seq: Seq,
        reply: Reply,
        mut manner: Manner,
    ) {
        let mut reply = affordable(context, reply);
        spread(context.turn, &mut reply);
        if let Reply::Problem { problem, .. } = reply.bare() {
            count_bound(&mut context.turn.stats, problem.reason);
            context.turn.stats.add(Counter::RequestsRefused, 1);
            manner.keep_alive &= !problem.reason.closes();
        }
        manner.keep_alive &= !matches!(reply.bare(), Reply::Stream | Reply::Poll { last: true });
        desk.replies.push(seq, reply, manner);
        self.weigh(&mut context.turn.memory, desk);
        if !manner.keep_alive {
            self.phase = Phase::Last;
        }
    }

    /// A request that is refused at its head. Its body, if any, is read and dropped when that is
    /// cheap; otherwise the line ends with the answer.
    pub(super) fn turn_away(
        &mut self,
        context: &mut Context<'_>,
        desk: &mut Desk,
        request: &Request<'_>,
        reply: Reply,
        mut manner: Manner,
    ) {
        let cheap = match request.body {
            BodyKind::None | BodyKind::Length(0) => true,
            BodyKind::Length(bytes) => bytes <= SKIP_BYTES_MAX && !request.expect_continue,
            BodyKind::Chunked => !request.expect_continue,
        };
        manner.keep_alive &= cheap;
        self.owe(context, desk, 0, reply, manner);
        let no_body = matches!(request.body, BodyKind::None | BodyKind::Length(0));
        if matches!(self.phase, Phase::Last) || no_body {
            return;
        }
        if let Ok(reader) = BodyReader::new(request.body, SKIP_BYTES_MAX) {
            self.phase = Phase::Skip {
                reader,
                pace: Pace::new(context.turn.now.mono),
            };
        }
    }

    pub(super) fn feed_body(
        &mut self,
        context: &mut Context<'_>,
        service: &mut impl Service,
        desk: &mut Desk,
        rest: &[u8],
    ) -> Option<usize> {
        let (reader, pace, kept) = match &mut self.phase {
            Phase::Body { reader, pace } => (reader, pace, true),
            Phase::Skip { reader, pace } => (reader, pace, false),
            _ => return None,
        };
        let piece = match reader.read(rest) {
            Ok(piece) => piece,
            Err(_) if !kept => {
                // The refusal was sent already; there is nothing to add to it.
                self.phase = Phase::Last;
                desk.replies.close_after_last();
                return Some(rest.len());
            }
            Err(reason) => {
                self.refuse_body(context, service, desk, reason);
                return Some(rest.len());
            }
        };
        let (consumed, done) = (piece.consumed, piece.done);
        pace.came(piece.data.len());
        if kept {
            let left = match reader {
                BodyReader::Length { left } => *left,
                BodyReader::None => 0,
                _ => u64::MAX,
            };
            let max = context.limits.body_bytes_max as u64;
            if !desk.has_room_for(&context.turn.memory, piece.data.len(), left.min(max)) {
                self.refuse_body(context, service, desk, Reason::MemoryFull);
                return Some(rest.len());
            }
            desk.body.extend_from_slice(piece.data);
            self.weigh(&mut context.turn.memory, desk);
        }
        if done {
            self.phase = Phase::Idle;
            if kept {
                self.finish_body(context, service, desk);
            }
        } else if consumed == 0 {
            return None;
        }
        Some(consumed)
    }

    /// The body is complete. Its head is read once more, which costs only requests that came in
    /// several pieces.
    pub(super) fn finish_body(
        &mut self,
        context: &mut Context<'_>,
        service: &mut impl Service,
        desk: &mut Desk,
    ) {
        let (head, body) = (mem::take(&mut desk.head), mem::take(&mut desk.body));
        // The message takes their place on the account.
        self.weigh(&mut context.turn.memory, desk);
        let mut slots = request::slots();
        if let Ok(request) = request::parse(&head, &mut slots) {
            let manner = Manner {
                version: request.version,
                head_only: request.method == Method::Head,
                keep_alive: request.keep_alive && !context.draining,
            };
            self.serve(context, service, desk, &request, &body, manner);
        }
        (desk.head, desk.body) = (head, body);
        desk.drop_request();
        self.weigh(&mut context.turn.memory, desk);
    }

    /// A request that broke a rule of framing: answered, and nothing after it is interpreted.
    pub(super) fn refuse(
        &mut self,
        context: &mut Context<'_>,
        desk: &mut Desk,
        reason: Reason,
        rest: &[u8],
    ) -> Option<usize> {
        let manner = closing(&[rest, &desk.head, desk.unread.as_slice()]);
        give_up(context, desk, reason);
        self.owe(context, desk, 0, refusal(reason), manner);
        Some(rest.len())
    }

    /// The same for what its body broke. The head is read once more, so that a page which may read
    /// the answer can.
    fn refuse_body(
        &mut self,
        context: &mut Context<'_>,
        service: &impl Service,
        desk: &mut Desk,
        reason: Reason,
    ) {
        let mut slots = request::slots();
        let reply = match request::parse(&desk.head, &mut slots) {
            Ok(request) => service.shared(&request, refusal(reason)),
            Err(_) => refusal(reason),
        };
        let manner = closing(&[&desk.head]);
        give_up(context, desk, reason);
        self.owe(context, desk, 0, reply, manner);
    }
}

/// How the last answer of a line goes whose request is not understood, or not whole: it begins with
/// the first of these that is there. Even so HEAD gets no content (RFC 9110 section 9.3.2).
fn closing(places: &[&[u8]]) -> Manner {
    let begun = places.iter().find(|place| !place.is_empty());
    // Empty lines may come before it (RFC 9112 section 2.2).
    let begun = begun.map_or(&[][..], |place| place.trim_ascii_start());
    Manner {
        version: Version::Http11,
        head_only: begun.starts_with(b"HEAD "),
        keep_alive: false,
    }
}

/// Nothing that follows is a request's: what was kept of it goes.
fn give_up(context: &mut Context<'_>, desk: &mut Desk, reason: Reason) {
    if reason == Reason::MemoryFull {
        context.turn.stats.add(Counter::RequestsRefusedForMemory, 1);
    }
    desk.drop_request();
    desk.unread.clear();
    desk.unread.shrink_to(0);
}

fn refusal(reason: Reason) -> Reply {
    Reply::Problem {
        problem: Problem::from(reason),
        json: false,
        allow: None,
        retry_after: (reason.row().status == 503).then_some(1),
    }
}
