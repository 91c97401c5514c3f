//! A watch on one reader's line: every byte that the engine writes there, when, and why the line
//! may end (streams.md sections 5 to 7). It judges one line; `feeds` knows what was published.

use crate::asks::{Asks, Cursor};
use crate::chunks::{Chunks, Part};
use crate::ear::{Got, Unit, What};
use crate::feeds::{Entry, Known};
use crate::kept::{self, Kept};
use crate::notices::Notices;
use crate::plan::Plan;
use crate::world::{MS, SECOND};

/// Bytes behind at which a reader is ended.
const BEHIND_BYTES_MAX: usize = 4 << 20;
/// Messages behind at which a reader is ended.
const BEHIND_MESSAGES_MAX: usize = 10_000;
/// Bytes behind its request that are ignored.
const EXTRA_BYTES_MAX: usize = 64 << 10;
/// Silence before a reader that takes nothing is given up.
const PATIENCE: u64 = 30 * SECOND;
/// Time for the last bytes of a stream that is ended.
const FAREWELL: u64 = 5 * SECOND;
/// The loop's own time.
const SLACK: u64 = 10 * MS;

/// The watch.
#[derive(Debug)]
pub struct Watch {
    /// What its reader asked for.
    pub asks: Asks,
    /// Every byte written on the line.
    pub written: Vec<u8>,
    /// Units of the stream that are complete.
    pub lines: usize,
    /// Those that only filled the silence, the first bytes not included.
    pub reminders: usize,
    /// When the line was closed.
    pub closed: Option<u64>,
    /// When the stream became one that must be ended for being slow.
    pub slow_since: Option<u64>,
    /// Whether the last chunk was written.
    pub terminated: bool,
    /// The longest that a message was held up although the reader took all it was given.
    pub latest: u64,
    /// What it was told besides messages.
    pub notices: Notices,
    /// What `Hookah-Resume` said.
    pub resume: Option<String>,
    chunks: Chunks,
    /// Bytes that the engine has read, the request included.
    heard: usize,
    /// The reader has finished or reset, and the engine knows.
    left: bool,
    /// What it must be sent, once its head is known.
    plan: Option<Plan>,
    /// How much was published when the engine had read its request: of its selection and of all.
    read_at: Option<(u64, usize, usize)>,
    /// Messages that were left out since the stream joined, at least and at most.
    gap: (u64, u64),
    keep_alive: u64,
    last_write: u64,
    head_at: u64,
    /// Since when bytes wait that the reader does not take.
    waits_since: Option<u64>,
    freed_at: u64,
    line_quiet: u64,
    /// Units that may be complete in all, once it is slow.
    lines_max: usize,
    may_be_slow: Option<u64>,
    /// Since when it has got all that it asked for, if that has an end.
    served_since: Option<u64>,
    /// It was told that there is no stream for it.
    pub refused: bool,
    /// It was told that it asks for more messages than are kept.
    beyond: bool,
    /// When its token was taken away.
    revoked: Option<u64>,
}

impl Watch {
    /// A watch on a line on which nothing has passed, where silence lasts so long unless its reader
    /// says otherwise.
    pub fn new(asks: Asks, at: u64, keep_alive: u64) -> Watch {
        Watch {
            chunks: Chunks::new(&asks),
            keep_alive: asks.keep_alive.map_or(keep_alive, |it| it * SECOND),
            asks,
            written: Vec::new(),
            lines: 0,
            reminders: 0,
            closed: None,
            slow_since: None,
            terminated: false,
            latest: 0,
            notices: Notices::default(),
            resume: None,
            heard: 0,
            left: false,
            plan: None,
            read_at: None,
            gap: (0, 0),
            last_write: at,
            head_at: at,
            waits_since: None,
            freed_at: at,
            line_quiet: 0,
            lines_max: usize::MAX,
            may_be_slow: None,
            served_since: None,
            refused: false,
            beyond: false,
            revoked: None,
        }
    }

    /// The engine reads. `end` is the end of its log, `all` how many were published at all.
    pub fn read(&mut self, at: u64, bytes: usize, end: usize, all: usize) {
        let asked = self.heard >= self.asks.bytes;
        self.heard += bytes;
        if !asked && self.heard >= self.asks.bytes {
            self.read_at = Some((at, end, all));
        }
    }

    /// The engine is told that the reader has finished or is gone, when its log ends there. One
    /// that took what it was given has been given everything.
    pub fn ended(&mut self, end: usize) {
        self.left = true;
        let streams = self.chunks.is_streaming() && !self.terminated;
        if self.waits_since.is_none() && streams && !self.asks.drops {
            let done = self.plan.as_ref().is_none_or(|plan| plan.is_done(end));
            assert!(
                done || self.notices.code.is_some() || self.revoked.is_some(),
                "not all was sent: {:?}",
                self.asks
            );
        }
    }

    /// The engine wrote these bytes, and was cut short if `cut`.
    pub fn wrote(&mut self, at: u64, bytes: &[u8], cut: bool, known: &Known<'_>) {
        if self.waits_since.is_none() && self.chunks.is_streaming() {
            let silence = at - self.last_write;
            let longest = self.keep_alive + self.keep_alive / 16 + SLACK;
            assert!(silence <= longest, "silent for {silence} us");
        }
        for byte in bytes {
            if self.chunks.at_boundary() {
                self.line_quiet = at - self.last_write;
            }
            self.last_write = at;
            match self.chunks.push(*byte) {
                Ok(Some(Part::Answer(head))) => self.answered(at, &head, known),
                Ok(None) => {}
                Ok(Some(Part::Head(head))) => self.head(at, &head, known),
                Ok(Some(Part::Unit(unit))) => self.unit(at, unit, known),
                Ok(Some(Part::End)) => self.terminated = true,
                Err(wrong) => panic!("{wrong}; {:?}", self.asks),
            }
        }
        let served = self.plan.as_ref().is_some_and(|it| it.is_done(it.live));
        if self.asks.ends && served {
            self.served_since.get_or_insert(at);
        }
        self.written.extend_from_slice(bytes);
        if !bytes.is_empty() && self.waits_since.take().is_some() {
            self.freed_at = at;
        }
        if cut {
            self.waits_since.get_or_insert(at);
        }
    }

    /// An answer that is no stream. Whoever asks for more than is kept is told so, and only they.
    fn answered(&mut self, at: u64, head: &str, known: &Known<'_>) {
        self.refused |= is_refusal(head);
        if !head.starts_with("HTTP/1.1 416 ") {
            return;
        }
        let asked_at = self.read_at.map_or(at, |(asked_at, ..)| asked_at);
        let (least, _) = kept::widest(known.editions, (asked_at, at));
        let beyond = matches!(self.asks.cursor, Cursor::Last(count) if count > least);
        assert!(beyond, "no more than is kept: {:?}", self.asks);
        self.beyond = true;
    }

    /// The head says how much was published when the stream joined.
    fn head(&mut self, at: u64, head: &str, known: &Known<'_>) {
        let field = |name: &str| {
            let mut lines = head.split("\r\n").skip(1);
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let last = field("Hookah-Last-Id");
        let joined = known.history.iter().rposition(|it| Some(&*it.id) == last);
        let joined = joined.map_or(0, |place| place + 1);
        assert_eq!(last.is_none(), joined == 0, "Hookah-Last-Id {last:?}");
        let (read_at, _, least) = self.read_at.unwrap_or_else(|| panic!("never asked"));
        // Alone on its line a reader joins at once, behind other requests with their answers.
        let alone = self.asks.before == 0;
        let right = joined >= least && (joined == least || !alone);
        assert!(right, "joined at {joined}, asked at {least}");
        let (_, most) = kept::widest(known.editions, (read_at, at));
        let beyond = matches!(self.asks.cursor, Cursor::Last(count) if count > most);
        assert!(!beyond, "more than is kept: {:?}", self.asks);
        let resume = field("Hookah-Resume");
        self.resume = resume.map(str::to_owned);
        self.head_at = at;
        self.plan = Some(Plan::new(&self.asks, known, joined, (read_at, at), resume));
    }

    fn unit(&mut self, at: u64, unit: Unit, known: &Known<'_>) {
        self.lines += 1;
        assert!(self.notices.code.is_none(), "{unit:?} behind the end");
        if self.lines == 1 {
            return self.first(&unit);
        }
        match &unit.what {
            What::Notice(kind, object) => {
                self.notices.note(&self.asks, kind, object, unit.retry);
                if kind == "limit" {
                    self.limited();
                }
                return;
            }
            _ => assert_eq!(unit.retry, None, "{unit:?}"),
        }
        let What::Message(got) = &unit.what else {
            let right = self.asks.format.is_sse() && self.asks.heartbeat;
            assert_eq!(unit.what == What::Heartbeat, right, "{unit:?}");
            assert!(self.line_quiet >= self.keep_alive, "a needless reminder");
            self.reminders += 1;
            return;
        };
        assert!(self.lines <= self.lines_max, "more to a slow reader");
        self.message(at, got, known);
    }

    fn first(&self, unit: &Unit) {
        let sse = self.asks.format.is_sse();
        let right = match self.asks.retry {
            Some(retry) => unit.retry == Some(retry),
            None => unit.retry.is_some_and(|ms| (3_000..=5_000).contains(&ms)),
        };
        assert_eq!(unit.retry.is_some() && right, sse, "{unit:?}");
        assert_eq!(unit.what, What::Blank, "the first bytes");
    }

    fn message(&mut self, at: u64, got: &Got, known: &Known<'_>) {
        let Some(plan) = &mut self.plan else {
            panic!("a message before the head: {got:?}")
        };
        let first = plan.next;
        for place in first..known.log.len() {
            let fate = plan.fate(place);
            let publication = known.publication(place);
            let check = publication.check(&self.asks, got, place < plan.live);
            if fate != Kept::No && check.is_ok() {
                plan.next = place + 1;
                let late = self
                    .revoked
                    .is_some_and(|since| known.log[place].at > since);
                assert!(!late, "published after its token was taken away");
                return self.timely(at, place, known.log);
            }
            let skips = fate != Kept::Yes || self.asks.drops;
            assert!(skips, "{check:?} at {place}, {first}; {:?}", self.asks);
            self.gap.0 += u64::from(fate == Kept::Yes);
            self.gap.1 += u64::from(fate != Kept::No);
        }
        panic!("{got:?} is nowhere behind {first}; {:?}", self.asks)
    }

    /// The message at that place came: all that was lost before it must have been told, and it must
    /// not have been held up.
    fn timely(&mut self, at: u64, place: usize, log: &[Entry]) {
        if self.asks.drops && self.asks.format.has_notices() {
            let told = self.notices.limits.last().copied().unwrap_or(0);
            let most = self.plan.as_ref().map_or(0, |plan| plan.missing.1);
            let right = (self.gap.0..=self.gap.1 + most).contains(&told);
            assert!(right, "{told} told, {:?} lost", self.gap);
        }
        if self.gap.0 > 0 {
            assert!(self.may_be_slow.is_some(), "lost, though it was not slow");
        }
        if self.waits_since.is_none() {
            let since = log[place].at.max(self.freed_at).max(self.head_at);
            self.latest = self.latest.max(at.saturating_sub(since));
            assert!(at <= since + SLACK, "held up by {} us", at - since);
        }
    }

    /// It was told how many messages are missing.
    fn limited(&self) {
        let Some(plan) = &self.plan else { return };
        let told = self.notices.limits.last().copied().unwrap_or(0);
        let before = self.notices.limits.iter().rev().nth(1);
        assert!(
            told > before.copied().unwrap_or(0),
            "{told} behind {before:?}"
        );
        if !self.asks.drops {
            let (least, most) = plan.missing;
            let right = plan.reset && before.is_none() && (least..=most).contains(&told);
            assert!(right, "{told} missing of {:?}", plan.missing);
        }
    }

    /// Something was published to its selection: whether the reader is too far behind now.
    pub fn published(&mut self, at: u64, log: &[Entry], tight: bool) {
        if self.closed.is_some() || self.left || self.revoked.is_some() {
            return;
        }
        let Some((_, read, _)) = self.read_at else {
            return;
        };
        let (next, live) = match &self.plan {
            Some(plan) => (plan.next, plan.live),
            None => (read, read),
        };
        let end = log.len();
        let behind = end.saturating_sub(next);
        // A message sent in part is still one that the reader is behind.
        let sum = |first: usize, of: fn(&Entry) -> usize| {
            let at = |count: usize| count.checked_sub(1).map_or(0, |last| of(&log[last]));
            at(end) - at(first.min(end))
        };
        let most = sum(next, |it| it.most_sum);
        self.notices.may_warn |= most > BEHIND_BYTES_MAX / 2 || behind > BEHIND_MESSAGES_MAX / 2;
        let over = most > BEHIND_BYTES_MAX || behind > BEHIND_MESSAGES_MAX;
        if tight || (behind > 1 && over) {
            self.may_be_slow.get_or_insert(at);
        }
        // What it was given to begin with counts for nothing.
        let (next, first) = (next.max(live), self.plan.is_some());
        let behind = end.saturating_sub(next);
        let least = sum(next, |it| it.least_sum);
        let over = least > BEHIND_BYTES_MAX || behind > BEHIND_MESSAGES_MAX;
        if first && over && behind > 1 && !self.asks.drops && self.slow_since.is_none() {
            self.slow_since = Some(at);
            let streaming = self.chunks.is_streaming();
            let inside = streaming && !self.chunks.at_boundary();
            let first = usize::from(self.lines == 0 && !inside);
            self.lines_max = self.lines + usize::from(inside) + first;
        }
    }

    /// The line was closed: there must be a reason.
    pub fn closed(&mut self, at: u64, draining: bool) {
        self.closed = Some(at);
        let extra = self.heard.saturating_sub(self.asks.bytes);
        let excused = draining || self.asks.may_be_refused || self.asks.guest;
        let refused = self.beyond || (self.refused && excused);
        if self.left || refused || extra > EXTRA_BYTES_MAX {
            return;
        }
        if let Some(since) = self.slow_since {
            assert!(at <= since + FAREWELL + SLACK, "a farewell without end");
        }
        let stalled = self.waits_since.is_some_and(|since| at >= since + PATIENCE);
        let slow = self.may_be_slow.is_some() && !self.asks.drops;
        let revoked = self.revoked.is_some();
        // One that had come to its own end before it was heard has nothing to be ended.
        let over = self.asks.ends && self.terminated && self.notices.code.is_none();
        let still = self.waits_since.is_none() && !over;
        if let Some(since) = self.revoked.filter(|_| still) {
            // It may have waited behind other answers, and begun only to be ended.
            let since = since.max(self.head_at);
            assert!(
                at <= since + FAREWELL + SLACK,
                "it went on without its token"
            );
        }
        let ended = slow || draining || self.asks.ends || self.asks.sheds || revoked;
        if self.terminated || (self.asks.old && ended && self.waits_since.is_none()) {
            assert!(ended, "ended for no reason: {:?}", self.asks);
            return self.farewell(slow, draining);
        }
        let parted = [self.may_be_slow, self.served_since, self.revoked]
            .into_iter()
            .flatten()
            .any(|since| at >= since + FAREWELL);
        assert!(
            stalled || parted || (draining && self.may_go_unfinished()),
            "closed at {at} for no reason: {:?}",
            self.asks
        );
        if let Some(since) = self.waits_since.filter(|_| !ended) {
            assert!(at <= since + PATIENCE + SLACK, "given up late");
        }
    }

    /// The stream was ended with its last bytes: it was told why, and that is so.
    fn farewell(&self, slow: bool, draining: bool) {
        let served = self.served_since.is_some();
        let reason = match self.notices.code {
            Some(1) => draining,
            Some(4) => slow,
            Some(6) => self.revoked.is_some(),
            Some(9) => served,
            Some(12) => self.asks.sheds,
            Some(_) => false,
            None => {
                let ended = slow || draining || served || self.asks.sheds;
                !self.asks.format.has_notices() && (ended || self.revoked.is_some())
            }
        };
        assert!(reason, "ended with {:?}: {:?}", self.notices, self.asks);
    }

    /// Its token was taken away; whether it is still there.
    pub fn revoke(&mut self, at: u64) -> bool {
        let first = self.revoked.is_none() && self.closed.is_none();
        self.revoked = self.revoked.or(Some(at));
        first
    }

    /// In a drain: it had not become a stream yet, or it took no more.
    fn may_go_unfinished(&self) -> bool {
        self.waits_since.is_some() || self.heard < self.asks.bytes || self.asks.before > 0
    }

    /// At rest: the line is closed.
    pub fn judge(&self) {
        assert!(self.closed.is_some(), "never closed: {:?}", self.asks);
    }
}

/// Whether the answer says that there is no place, in the words of the format.
fn is_refusal(head: &str) -> bool {
    let later = head.contains("\r\nContent-Type: text/event-stream");
    let known = ["HTTP/1.1 503 ", "HTTP/1.1 401 ", "HTTP/1.1 429 "];
    known.iter().any(|status| head.starts_with(status))
        || (head.starts_with("HTTP/1.1 200 ") && later)
}
