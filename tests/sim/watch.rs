//! A watch on one reader's line: every byte that the engine writes there, when, and why the line
//! may end (streams.md sections 5 to 7). It judges one line; `feeds` knows what was published.

use std::ops::RangeInclusive;

use crate::chunks::{Chunks, Part};
use crate::feeds::Entry;
use crate::readers::Asks;
use crate::world::{MS, SECOND};

/// Bytes behind at which a reader is ended.
const BEHIND_BYTES_MAX: usize = 4 << 20;
/// Messages behind at which a reader is ended.
const BEHIND_MESSAGES_MAX: usize = 10_000;
/// Bytes behind its request that are ignored.
const EXTRA_BYTES_MAX: usize = 64 << 10;
/// Silence before keep-alive bytes, and before a reader that takes nothing is given up.
const PATIENCE: u64 = 30 * SECOND;
/// What is added to it by chance, so that not all are reminded at once.
const SPREAD: u64 = PATIENCE / 16;
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
    /// Lines of the stream that are complete, keep-alives included.
    pub lines: usize,
    /// Keep-alives among them, the first bytes not included.
    pub reminders: usize,
    /// When the line was closed.
    pub closed: Option<u64>,
    /// When the stream became one that must be ended for being slow.
    pub slow_since: Option<u64>,
    /// Whether the last chunk was written.
    pub terminated: bool,
    /// The longest that a message was held up although the reader took all it was given.
    pub latest: u64,
    chunks: Chunks,
    /// Bytes that the engine has read, the request included.
    heard: usize,
    /// The reader has finished or reset, and the engine knows.
    left: bool,
    /// Where in its topic's log it may be: one place once that is known.
    next: Option<RangeInclusive<usize>>,
    /// The same for the ids of all that was published.
    ids: (usize, usize),
    last_write: u64,
    /// Since when bytes wait that the reader does not take.
    waits_since: Option<u64>,
    freed_at: u64,
    line_began: u64,
    line_quiet: u64,
    /// Lines that may be complete in all, once it is slow.
    lines_max: usize,
    may_be_slow: Option<u64>,
    /// It was told that there is no stream for it.
    pub refused: bool,
}

impl Watch {
    /// A watch on a line on which nothing has passed.
    pub fn new(asks: Asks, at: u64) -> Watch {
        Watch {
            chunks: Chunks::new(asks.old, asks.before),
            asks,
            written: Vec::new(),
            lines: 0,
            reminders: 0,
            closed: None,
            slow_since: None,
            terminated: false,
            latest: 0,
            heard: 0,
            left: false,
            next: None,
            ids: (0, 0),
            last_write: at,
            waits_since: None,
            freed_at: at,
            line_began: at,
            line_quiet: 0,
            lines_max: usize::MAX,
            may_be_slow: None,
            refused: false,
        }
    }

    /// The engine reads. `end` is the end of the topic's log, `ids` how many were published at all.
    pub fn read(&mut self, bytes: usize, end: usize, ids: usize) {
        let asked = self.heard >= self.asks.bytes;
        self.heard += bytes;
        if !asked && self.heard >= self.asks.bytes {
            // Alone on its line a reader joins at once, behind other requests with their answers.
            let alone = self.asks.before == 0;
            // Where everything is asked for, everything is kept: stories publish little.
            let first = if self.asks.all { 0 } else { end };
            self.next = Some(first..=if alone { first } else { usize::MAX });
            self.ids = (ids, usize::MAX);
        }
    }

    /// The engine is told that the reader has finished or is gone. One that took what it was given
    /// has been given everything.
    pub fn ended(&mut self, log: &[Entry]) {
        self.left = true;
        let streams = self.chunks.is_streaming() && !self.terminated;
        if self.waits_since.is_none() && streams && !self.asks.drops {
            let end = self.next.as_ref().map_or(0, |next| *next.end());
            assert!(
                end >= log.len(),
                "{end} of {} sent: {:?}",
                log.len(),
                self.asks
            );
        }
    }

    /// The engine wrote these bytes, and was cut short if `cut`.
    pub fn wrote(&mut self, at: u64, bytes: &[u8], cut: bool, log: &[Entry], ids: &[String]) {
        if self.waits_since.is_none() && self.chunks.is_streaming() {
            let silence = at - self.last_write;
            let longest = PATIENCE + SPREAD + SLACK;
            assert!(silence <= longest, "silent for {silence} us");
        }
        for byte in bytes {
            if self.chunks.at_boundary() {
                (self.line_began, self.line_quiet) = (at, at - self.last_write);
                let ends = *byte == b'0' && !self.asks.old;
                assert!(ends || self.lines < self.lines_max, "more to a slow reader");
            }
            self.last_write = at;
            match self.chunks.push(*byte) {
                Ok(Some(Part::Answer(head))) => self.refused |= head.starts_with("HTTP/1.1 503 "),
                Ok(None) => {}
                Ok(Some(Part::Head(head))) => self.head(&head, log.len(), ids),
                Ok(Some(Part::Line(line))) => self.line(at, &line, log),
                Ok(Some(Part::End)) => self.terminated = true,
                Err(wrong) => panic!("{wrong}; {:?}", self.asks),
            }
        }
        self.written.extend_from_slice(bytes);
        if !bytes.is_empty() && self.waits_since.take().is_some() {
            self.freed_at = at;
        }
        if cut {
            self.waits_since.get_or_insert(at);
        }
    }

    fn head(&mut self, head: &str, end: usize, ids: &[String]) {
        if let Some(next) = &self.next {
            let end = if self.asks.all { 0 } else { end };
            self.next = Some(*next.start()..=(*next.end()).min(end));
        }
        let last = head.split("\r\nHookah-Last-Id: ").nth(1);
        let last = last.and_then(|rest| rest.split("\r\n").next());
        let known = self.ids.0..=self.ids.1.min(ids.len());
        let right = known.into_iter().any(|count| match last {
            Some(last) => count > 0 && ids[count - 1] == last,
            None => count == 0,
        });
        assert!(right, "Hookah-Last-Id {last:?}");
    }

    fn line(&mut self, at: u64, line: &[u8], log: &[Entry]) {
        self.lines += 1;
        if line.is_empty() {
            let first = self.lines == 1;
            assert!(first || self.line_quiet >= PATIENCE, "a needless reminder");
            self.reminders += usize::from(!first);
            return;
        }
        assert!(self.lines > 1, "no first bytes before {line:?}");
        let range = self.next.clone().unwrap_or_else(|| panic!("never asked"));
        let mut places = range.clone();
        if self.asks.drops {
            places = *range.start()..=usize::MAX;
        }
        let place = places.find(|place| log.get(*place).is_some_and(|entry| *entry.body == *line));
        let Some(place) = place else {
            let end = line.len().min(80);
            let line = String::from_utf8_lossy(&line[..end]).into_owned();
            panic!("{line:?} is not at {range:?}; {:?}", self.asks)
        };
        self.next = Some(place + 1..=place + 1);
        if self.waits_since.is_none() {
            let since = log[place].at.max(self.freed_at);
            self.latest = self.latest.max(at.saturating_sub(since));
            assert!(at <= since + SLACK, "held up by {} us", at - since);
        }
    }

    /// Something was published to the topic: whether the reader is too far behind now.
    pub fn published(&mut self, at: u64, log: &[Entry]) {
        let over = self.closed.is_some() || self.left || self.asks.drops;
        if self.slow_since.is_some() || over {
            return;
        }
        let Some(next) = &self.next else { return };
        let over = |first: usize, old: bool| {
            // A message sent in part is still one that the reader is behind.
            let end = log.len();
            let sum = |count: usize| count.checked_sub(1).map_or(0, |last| log[last].sum(old));
            let behind = end.saturating_sub(first);
            let bytes = sum(end) - sum(first.min(end));
            behind > 1 && (bytes > BEHIND_BYTES_MAX || behind > BEHIND_MESSAGES_MAX)
        };
        // Another reader's chunks may count for what this one is behind.
        if over(*next.start(), false) {
            self.may_be_slow.get_or_insert(at);
        }
        if *next.end() < usize::MAX && over(*next.end(), self.asks.old) {
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
        let refused = self.refused && (draining || self.asks.may_be_refused);
        if self.left || refused || extra > EXTRA_BYTES_MAX {
            return;
        }
        if let Some(since) = self.slow_since {
            assert!(at <= since + FAREWELL + SLACK, "a farewell without end");
        }
        let stalled = self.waits_since.is_some_and(|since| at >= since + PATIENCE);
        let slow = self.may_be_slow.is_some();
        let ended = slow || draining || self.asks.ends;
        if self.terminated || (self.asks.old && ended && self.waits_since.is_none()) {
            assert!(ended, "ended for no reason: {:?}", self.asks);
            return;
        }
        let parted = self.may_be_slow.is_some_and(|since| at >= since + FAREWELL);
        assert!(
            stalled || parted || (draining && self.may_go_unfinished()),
            "closed at {at} for no reason: {:?}",
            self.asks
        );
        if let Some(since) = self.waits_since.filter(|_| !ended) {
            assert!(at <= since + PATIENCE + SLACK, "given up late");
        }
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
