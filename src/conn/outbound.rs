//! Our line to a target: one request out at a time, one answer back, then the next or the end.
//! It judges framing, never whether a status counts as delivered.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::base::buf::Buf;
use crate::base::frame::{Frame, Gather};
use crate::base::ledger::Ledger;
use crate::base::slab::Key;
use crate::base::time::{Mono, Now};
use crate::http::body::BodyReader;
use crate::http::request;
use crate::http::response::{self, Framing, ResponseBody, ResponseHead, ResponseScan, RetryAfter};
use crate::model::{Ending, Fault, Owner, Wants};
use crate::port::Ended;
use faults::{connect_fault, cut_short, late, protocol};
use kept::Kept;
use whole::Whole;

mod faults;
mod kept;
mod whole;

/// What a line has found out about the call it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The call has ended.
    Ending(Ending),
    /// A kept-alive line was dead when the request went out: nothing is known of the target, and
    /// the call is to be sent once more on a fresh line, uncounted (http.md, client rules).
    Stale,
}

/// Which of several addresses is being tried.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// Its number in the list.
    pub number: usize,
    /// The list, if it is what a name was resolved to and not the target's own.
    pub named: Option<Arc<[IpAddr]>>,
}

/// The states of a line to a target.
///
/// ```text
///  Connecting ──► Exchange ──┬─► Surplus ─┬─► Ready ──► Exchange …
///      │              │      └─► Whole ───┤     │
///      └──────────────┴───────────────────┴─────┴──► Gone
/// ```
#[derive(Debug)]
enum Phase {
    /// The connection is being made.
    Connecting(Place),
    /// A request is on its way, or its answer awaited.
    Exchange { interim: u32, heard: bool },
    /// The answer's head has decided the call; of its body no more is kept than is wanted.
    Surplus {
        reader: BodyReader,
        dropped: usize,
        reusable: bool,
    },
    /// The answer's head is here, and its body is awaited: only then is the call decided.
    Whole(Whole),
    /// Kept alive, without a call.
    Ready,
    /// To be closed at once.
    Gone,
}

/// Interim answers that are put up with (guarantees.md, fault table).
const INTERIM_MAX: u32 = 8;
/// Bytes of an answer's body read to keep the line, if not more are wanted.
const SURPLUS_BYTES_MAX: usize = 64 << 10;
/// Time given to the body: it decides nothing any more, and its line is a place in the lane.
const SURPLUS_TIMEOUT: Duration = Duration::from_secs(2);

/// What a buffer of a line at rest may keep.
const SPARE_BYTES: usize = 1 << 10;

/// What a session of TLS holds, in bytes, as measured; it is made and kept by the shell.
const SESSION_BYTES: u64 = 12 << 10;

/// A line to a target.
#[derive(Debug)]
pub struct Outbound {
    lane: Key,
    secure: bool,
    phase: Phase,
    /// The owner of the call on the line, until its verdict.
    call: Option<Owner>,
    /// Whether the request is a HEAD, whose answer has no body whatever it says.
    head_only: bool,
    head: Vec<u8>,
    body: Option<Frame>,
    sent: usize,
    scan: ResponseScan,
    unread: Buf,
    kept: Kept,
    /// Bytes of it on the account of memory.
    held: u64,
    /// The same of the line itself and its buffers.
    buffers: u64,
    /// Answers received on this line; more than none means it was kept alive.
    served: u32,
    deadline: Mono,
    /// Whether it stands among its lane's lines that wait for a call.
    resting: bool,
    /// Where it is connected to.
    addr: Option<SocketAddr>,
}

impl Outbound {
    /// A line that is being connected to that address for a call, which has to end by `deadline`.
    #[must_use]
    pub fn connecting(lane: Key, call: Owner, place: Place, deadline: Mono) -> Outbound {
        Outbound {
            lane,
            secure: false,
            phase: Phase::Connecting(place),
            call: Some(call),
            head_only: false,
            head: Vec::new(),
            body: None,
            sent: 0,
            scan: ResponseScan::default(),
            unread: Buf::default(),
            kept: Kept::default(),
            held: 0,
            buffers: size_of::<Outbound>() as u64,
            served: 0,
            deadline,
            resting: false,
            addr: None,
        }
    }

    /// It is being connected to that address.
    pub fn lead_to(&mut self, addr: SocketAddr) {
        self.addr = Some(addr);
    }

    /// The very address it is connected to.
    #[must_use]
    pub fn leads_to(&self) -> Option<SocketAddr> {
        self.addr
    }

    /// It is to be a line with TLS.
    pub fn secure(&mut self) {
        self.secure = true;
    }

    /// What it holds besides its place, in bytes, for the account of memory.
    #[must_use]
    pub fn charged(&self) -> u64 {
        self.held + self.buffers + if self.secure { SESSION_BYTES } else { 0 }
    }

    /// The lane it belongs to.
    #[must_use]
    pub fn lane(&self) -> Key {
        self.lane
    }

    /// The call it carries.
    #[must_use]
    pub fn call(&self) -> Option<Owner> {
        self.call
    }

    /// A call takes a line that is ready, or that has just been connected for it. The caller fills
    /// the head it gets, then calls `send`.
    pub fn begin(&mut self, call: Owner, head_only: bool, deadline: Mono) -> &mut Vec<u8> {
        self.call = Some(call);
        self.phase = Phase::Exchange {
            interim: 0,
            heard: false,
        };
        self.head_only = head_only;
        self.deadline = deadline;
        self.resting = false;
        self.scan = ResponseScan::default();
        self.sent = 0;
        self.head.clear();
        &mut self.head
    }

    /// The request's body; with it the request is complete. `wants` is what is kept of the answer.
    pub fn send(&mut self, body: Frame, wants: Wants) {
        self.body = Some(body);
        self.kept.begin(wants);
    }

    /// Appends what is to be written: the rest of the head, the rest of the shared body.
    pub fn outgoing<'a>(&'a self, gather: &mut Gather<'a>) {
        if !matches!(self.phase, Phase::Exchange { .. }) {
            return;
        }
        let in_head = self.sent.min(self.head.len());
        gather.push(&self.head[in_head..]);
        if let Some(body) = &self.body {
            gather.push(&body[self.sent - in_head..]);
        }
    }

    /// That many bytes were accepted.
    pub fn wrote(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.unsent(), "more was written than there was");
        self.sent += bytes.min(self.unsent());
        if self.unsent() == 0 {
            // The body belongs to the message; a line that waits for an answer holds nothing of it.
            self.sent = self.head.len();
            self.body = None;
        }
    }

    fn unsent(&self) -> usize {
        self.head.len() + self.body.as_ref().map_or(0, |body| body.len()) - self.sent
    }

    /// Whether bytes wait to be written.
    #[must_use]
    pub fn has_output(&self) -> bool {
        matches!(self.phase, Phase::Exchange { .. }) && self.unsent() > 0
    }

    /// Bytes came. What is held of an answer that is wanted whole goes on the account of memory
    /// first.
    pub fn received(&mut self, now: Now, memory: &mut Ledger, bytes: &[u8]) -> Option<Verdict> {
        let held = !self.unread.is_empty();
        if held {
            self.unread.append(bytes);
            let unread = std::mem::take(&mut self.unread);
            let (used, verdict) = self.feed(now, memory, unread.as_slice());
            self.unread = unread;
            self.unread.consume(used);
            return verdict.or_else(|| self.afford(memory));
        }
        let (used, verdict) = self.feed(now, memory, bytes);
        self.unread.append(&bytes[used..]);
        verdict.or_else(|| self.afford(memory))
    }

    /// Goes through `input`; how many bytes were used, and the call's verdict if it fell.
    fn feed(&mut self, now: Now, memory: &mut Ledger, input: &[u8]) -> (usize, Option<Verdict>) {
        let mut used = 0;
        let mut verdict = None;
        loop {
            let rest = &input[used..];
            if rest.is_empty() {
                return (used, verdict);
            }
            let step = match &self.phase {
                Phase::Exchange { .. } if self.is_too_soon() => {
                    return (input.len(), verdict.or(self.untimely()));
                }
                Phase::Exchange { .. } => self.feed_head(now, memory, rest),
                Phase::Whole(_) => self.feed_whole(memory, rest),
                Phase::Surplus { .. } => Ok(self.feed_surplus(rest)),
                Phase::Connecting(_) => return (input.len(), self.untimely()),
                // Bytes nobody asked for: what follows could be taken for another call's answer.
                Phase::Ready => {
                    self.phase = Phase::Gone;
                    Ok(None)
                }
                Phase::Gone => return (input.len(), verdict),
            };
            match step {
                Ok(Some((bytes, ending))) => {
                    used += bytes;
                    verdict = verdict.or(ending);
                }
                Ok(None) => return (used, verdict),
                Err(fault) => {
                    self.phase = Phase::Gone;
                    return (input.len(), verdict.or_else(|| self.conclude(fault)));
                }
            }
        }
    }

    /// Bytes came before a byte of the request was written: the line is of no use, and on one that
    /// was kept alive the call is as if it had never been there.
    fn untimely(&mut self) -> Option<Verdict> {
        self.phase = Phase::Gone;
        match self.served {
            0 => self.conclude(protocol("answer_before_request")),
            _ => self.call.take().map(|_| Verdict::Stale),
        }
    }

    /// The next head in an exchange. How many bytes it took, and the verdict if it was final.
    fn feed_head(
        &mut self,
        now: Now,
        memory: &mut Ledger,
        rest: &[u8],
    ) -> Result<Option<(usize, Option<Verdict>)>, Ending> {
        let Phase::Exchange { interim, heard } = &mut self.phase else {
            return Ok(None);
        };
        *heard = true;
        let end = match self.scan.scan(rest) {
            Ok(Some(end)) => end,
            Ok(None) => return Ok(None),
            Err(bad) => return Err(protocol(bad.as_str())),
        };
        self.scan = ResponseScan::default();
        let mut slots = request::slots();
        let head = response::parse(&rest[..end], &mut slots, self.head_only)
            .map_err(|bad| protocol(bad.as_str()))?;
        if head.status == 101 {
            return Err(protocol("unasked_101"));
        }
        if head.status < 200 {
            *interim += 1;
            return match *interim > INTERIM_MAX {
                true => Err(protocol("too_many_1xx")),
                false => Ok(Some((end, None))),
            };
        }
        let verdict = self.decide(now, memory, &rest[..end], &head)?;
        Ok(Some((end, verdict)))
    }

    /// A final head decides the call, whatever happens to the body, unless the answer is wanted
    /// whole.
    fn decide(
        &mut self,
        now: Now,
        memory: &mut Ledger,
        bytes: &[u8],
        head: &ResponseHead<'_>,
    ) -> Result<Option<Verdict>, Ending> {
        self.served = self.served.saturating_add(1);
        let retry_after = head.retry_after.map(|wish| match wish {
            RetryAfter::Seconds(seconds) => Duration::from_secs(seconds),
            RetryAfter::At(at) => at.since(now.wall),
        });
        let ending = Ending::Answer {
            status: head.status,
            retry_after,
        };
        let is_redirect = (300..400).contains(&head.status);
        let location = is_redirect.then(|| head.field("location")).flatten();
        let all_sent = self.unsent() == 0;
        self.body = None;
        self.kept.head(bytes, location);
        if self.kept.is_whole() {
            return self.expect_body(memory, head, ending, all_sent);
        }
        let reusable = head.keep_alive;
        self.phase = match (head.framing, head.body.reader()) {
            (Framing::Malformed, _) => Phase::Gone,
            (Framing::Sound, _) if !all_sent => Phase::Gone,
            (Framing::Sound, BodyReader::None) if reusable => Phase::Ready,
            (Framing::Sound, BodyReader::None) => Phase::Gone,
            (Framing::Sound, reader) => Phase::Surplus {
                reader,
                dropped: 0,
                reusable,
            },
        };
        self.deadline = now.mono + SURPLUS_TIMEOUT;
        let goes_on = matches!(self.phase, Phase::Surplus { .. });
        if !goes_on && head.body != ResponseBody::None {
            self.kept.cut();
        }
        Ok(self.conclude(ending))
    }

    /// The next bytes of a body that decides nothing: how many were used.
    fn feed_surplus(&mut self, rest: &[u8]) -> Option<(usize, Option<Verdict>)> {
        let Phase::Surplus {
            reader,
            dropped,
            reusable,
        } = &mut self.phase
        else {
            return None;
        };
        let Ok(piece) = reader.read(rest) else {
            self.kept.cut();
            self.phase = Phase::Gone;
            return None;
        };
        *dropped += piece.data.len();
        self.kept.body(piece.data);
        if piece.done && *reusable {
            self.phase = Phase::Ready;
        } else if piece.done {
            self.phase = Phase::Gone;
        } else if *dropped > SURPLUS_BYTES_MAX.max(self.kept.max()) {
            self.kept.cut();
            self.phase = Phase::Gone;
        } else if piece.consumed == 0 {
            return None;
        }
        Some((piece.consumed, None))
    }

    /// The line ended, or the target finished sending.
    pub fn ended(&mut self, why: Ended) -> Option<Verdict> {
        let phase = std::mem::replace(&mut self.phase, Phase::Gone);
        match phase {
            Phase::Connecting(_) => self.conclude(connect_fault(why)),
            Phase::Exchange { heard: false, .. } if self.served > 0 => {
                self.call.take().map(|_| Verdict::Stale)
            }
            Phase::Exchange { heard, .. } => self.conclude(cut_short(heard, why)),
            Phase::Whole(whole) => {
                let complete = (why == Ended::Finished).then(|| whole.closed()).flatten();
                self.conclude(complete.unwrap_or_else(|| cut_short(true, why)))
            }
            Phase::Surplus { reader, .. } => {
                if !(why == Ended::Finished && reader.ends_with_close()) {
                    self.kept.cut();
                }
                None
            }
            Phase::Ready | Phase::Gone => None,
        }
    }

    /// Its deadline has passed.
    pub fn expired(&mut self) -> Option<Verdict> {
        match std::mem::replace(&mut self.phase, Phase::Gone) {
            Phase::Connecting(_) => self.conclude(Ending::Fault {
                fault: Fault::Connect,
                detail: "connect_timeout",
            }),
            Phase::Exchange { heard, .. } => self.conclude(late(heard)),
            Phase::Whole(_) => self.conclude(late(true)),
            Phase::Surplus { .. } => {
                self.kept.cut();
                None
            }
            Phase::Ready | Phase::Gone => None,
        }
    }

    fn conclude(&mut self, ending: Ending) -> Option<Verdict> {
        self.call.take().map(|_| Verdict::Ending(ending))
    }

    /// Which of the target's addresses is being tried.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match &self.phase {
            Phase::Connecting(place) => Some(place),
            _ => None,
        }
    }

    /// When `expired` is due.
    #[must_use]
    pub fn deadline(&self) -> Mono {
        self.deadline
    }

    /// Nobody listened for so long, which does not count.
    pub fn postpone(&mut self, by: Duration) {
        self.deadline = self.deadline + by;
    }

    /// A line that is ready waits for its next call, until `deadline`.
    pub fn rest(&mut self, deadline: Mono) {
        self.resting = true;
        self.deadline = deadline;
        self.head.clear();
        self.head.shrink_to(SPARE_BYTES);
        self.unread.shrink_to(SPARE_BYTES);
    }

    /// Whether it waits for a call.
    #[must_use]
    pub fn is_resting(&self) -> bool {
        self.resting
    }

    /// Whether it can take a call.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    /// Whether it is to be closed.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone)
    }

    /// The line is of no use any more.
    pub fn abandon(&mut self) {
        self.phase = Phase::Gone;
    }
}
