//! Polls: answers of many messages at once, those that are there or those that come in time.
//! They wait in front of their line, seated in a channel like a stream; the line stays what it is.
//!
//! ```text
//!  in front ──found, or need not wait──────────────────────────► answered: 200, 204 or 304
//!      └──joined──► seated ──message, time, drain, client's end──►    │
//!                      └──line closed──► gone                         ▼ the next in front
//! ```

use super::Engine;
use super::life::Drain;
use super::serve::context;
use super::visits::Seated;
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::Mono;
use crate::conn::reply::Manner;
use crate::conn::{Conn, Line};
use crate::http::problem::Reason;
use crate::http::write::{self, Answer, How};
use crate::model::MessageId;
use crate::topics::format::{FIELDS, Framing, Head, Resume};
use crate::topics::wish::{Cursor, Mode, Selection, Wish};
use crate::topics::{BEHIND_BYTES_MAX, BEHIND_MESSAGES_MAX, Feed, Joined, Seat};

/// Bytes of an answer besides its messages, at most.
const HEAD_BYTES: u64 = 1_024;

impl Engine {
    /// The reply in front of a client's line is one that is made now: it is, or it waits.
    pub(super) fn serve_poll(&mut self, key: Key) {
        let Some(Conn::Inbound(inbound)) = self.lines.get(key).map(|line| &line.conn) else {
            return;
        };
        let Some(manner) = inbound.poll() else {
            return;
        };
        let hurries = self.drain != Drain::No || inbound.is_finished();
        if let Some(seated) = self.visits.seated(key) {
            if hurries || seated.until <= self.turn.now.mono {
                self.answer_poll(key);
            }
            return;
        }
        let Some(errand) = self.visits.next(&mut self.turn.memory, key) else {
            return self.close(key);
        };
        // Whose token went while it waited behind other answers gets nothing.
        if !self.gate.knows(errand.pass.mark) {
            return self.close(key);
        }
        let Some(joined) = self.topics.join(&errand.wish, key) else {
            return self.close(key);
        };
        let now = self.turn.now;
        let most = errand.pass.until.map(|until| until.since(now.wall));
        let until = match errand.wish.mode {
            Mode::Wait(span) if !hurries && !manner.head_only => {
                now.mono + most.map_or(span, |most| most.min(span))
            }
            _ => Mono::default(),
        };
        let seated = Seated {
            wish: errand.wish,
            joined,
            until,
            pass: errand.pass,
        };
        let found = joined.seat.at < joined.end;
        if found || until <= self.turn.now.mono {
            return self.answer(key, &seated, manner);
        }
        // While it waits it needs no names; its channel has them, on the account.
        let mut seated = seated;
        seated.wish.selection = Selection::default();
        self.visits.seat(key, seated);
        if let Some(Conn::Inbound(inbound)) = self.lines.get_mut(key).map(|line| &mut line.conn) {
            inbound.wait(&mut context!(self), key);
        }
    }

    /// A poll waits no longer, whatever has come.
    fn answer_poll(&mut self, key: Key) {
        let Some(Conn::Inbound(inbound)) = self.lines.get(key).map(|line| &line.conn) else {
            return;
        };
        if let Some((manner, seated)) = inbound.poll().zip(self.visits.unseat(key)) {
            self.answer(key, &seated, manner);
        }
    }

    /// Something has come for whoever waits on that line, and there is time to write it.
    pub(super) fn poll_woken(&mut self, key: Key) {
        let found = self.visits.seated(key).is_some_and(|it| self.found(it));
        if found {
            self.answer_poll(key);
            self.rearm_inbound(key);
        }
    }

    /// Answers a poll because its channel holds too much for those that are as far behind. False
    /// if it is none, or not so far behind.
    pub(super) fn poll_gives_way(&mut self, key: Key, slowest: u64) -> bool {
        let seat = self.visits.seated(key).map(|it| it.joined.seat);
        let gives_way = seat.is_some_and(|seat| seat.at <= slowest);
        if gives_way {
            self.end_poll(key);
        }
        gives_way
    }

    /// Answers a poll, if one waits on that line, whatever has come.
    pub(super) fn end_poll(&mut self, key: Key) {
        if self.visits.seated(key).is_some() {
            self.answer_poll(key);
            self.settle_inbound(key);
        }
    }

    fn found(&self, seated: &Seated) -> bool {
        self.feed_for(seated).frame(seated.joined.seat.at).is_some()
    }

    fn feed_for(&self, seated: &Seated) -> Feed<'_> {
        let channel = seated.joined.seat.channel;
        self.topics.feed(channel, seated.wish.style)
    }

    /// Writes the answer of a poll, or of a HEAD, and gives up its seat.
    fn answer(&mut self, key: Key, seated: &Seated, manner: Manner) {
        let Seat { channel, at, .. } = seated.joined.seat;
        let feed = self.topics.feed(channel, seated.wish.style);
        let newest = self.topics.last();
        let page = Page::of(&feed, &seated.wish, &seated.joined, newest);
        let charged = match page.bytes > 0 && !manner.head_only {
            true => page.bytes + HEAD_BYTES,
            false => 0,
        };
        let Some(Line {
            conn: Conn::Inbound(inbound),
            ..
        }) = self.lines.get_mut(key)
        else {
            return;
        };
        if self.turn.memory.take(charged) {
            inbound.answer(&mut context!(self), charged, |out, how| {
                match seated.wish.mode {
                    Mode::Poll | Mode::Wait(_) => page.write(&seated.wish, how, out),
                    Mode::Live | Mode::Kept => page.write_head(&seated.wish, how, newest, out),
                }
                if !how.head_only {
                    let frames = (at..page.end).filter_map(|at| feed.frame(at));
                    frames.for_each(|frame| out.extend_from_slice(feed.bytes(frame)));
                }
            });
        } else {
            self.turn.stats.add(Counter::RequestsRefused, 1);
            let wait = self.turn.patience().to_string();
            inbound.answer(&mut context!(self), 0, |out, how| {
                let retry = [("Retry-After", &*wait)];
                write::problem(out, &Reason::MemoryFull.into(), false, &retry, how);
            });
        }
        self.leave_seat(seated.joined.seat);
    }

    /// What must hold of a line's poll.
    pub(super) fn check_poll(&self, key: Key, line: &Line) {
        let (Conn::Inbound(inbound), Some(seated)) = (&line.conn, self.visits.seated(key)) else {
            return;
        };
        let Seat { channel, place, .. } = seated.joined.seat;
        assert_eq!(
            self.topics.line(channel, place),
            Some(key),
            "another's seat"
        );
        assert!(inbound.poll().is_some(), "{key:?} waits behind its answer");
        let woken = line.dirty || self.topics.has_woken();
        assert!(woken || !self.found(seated), "{key:?} sleeps");
    }
}

/// What one answer holds: messages of a channel from a seat on, within the bounds of a reader that
/// is slow, for that is what holds them up to their end.
struct Page {
    /// Bytes of the body.
    bytes: u64,
    /// The position behind its last message.
    end: u64,
    /// Its last message; without any the one that the reader had before.
    tag: Option<MessageId>,
    /// Everything up to this one that the reader asked for is in its hands.
    last: MessageId,
    resume: Option<Resume>,
    notice: Vec<u8>,
}

impl Page {
    fn of(feed: &Feed<'_>, wish: &Wish, joined: &Joined, newest: MessageId) -> Page {
        let (at, mut end, mut bytes) = (joined.seat.at, joined.seat.at, 0);
        while let Some(frame) = feed.frame(end) {
            let more = feed.bytes(frame).len() as u64;
            let fits = bytes + more <= BEHIND_BYTES_MAX && end - at < BEHIND_MESSAGES_MAX;
            // One message is always admitted, whatever its size.
            if end > at && !fits {
                break;
            }
            bytes += more;
            end += 1;
        }
        let mut notice = Vec::new();
        if let Some(missing) = joined.missing.filter(|_| end > at) {
            wish.style.format.limit(missing, &mut notice);
        }
        let sent = end.checked_sub(1).and_then(|last| feed.id(last));
        let sent = sent.filter(|_| end > at);
        let had = match wish.cursor {
            Cursor::After(id) if wish.conditional => Some(id),
            _ => None,
        };
        Page {
            bytes: bytes + notice.len() as u64,
            end,
            tag: sent.or(had),
            last: match (feed.frame(end), sent) {
                (Some(_), Some(sent)) => sent,
                _ => newest,
            },
            resume: joined.resume,
            notice,
        }
    }

    /// Writes the head of a poll's answer and what comes before its messages.
    fn write(&self, wish: &Wish, how: &How<'_>, out: &mut Vec<u8>) {
        let status = match (self.bytes, wish.conditional) {
            (1.., _) => 200,
            (0, true) => 304,
            (0, false) => 204,
        };
        let tag = self.tag.map(|id| format!("\"{id}\"")).unwrap_or_default();
        let last = self.last.to_string();
        let resume = self.resume.map_or("", Resume::as_str);
        let mut fields = FIELDS.to_vec();
        let known = self.last != MessageId::default();
        let ours = [
            ("ETag", &*tag, !tag.is_empty()),
            ("Hookah-Last-Id", &*last, known),
            ("Hookah-Resume", resume, !resume.is_empty()),
        ];
        let ours = ours.into_iter().filter(|(_, _, is_there)| *is_there);
        fields.extend(ours.map(|(name, value, _)| (name, value)));
        let answer = Answer {
            status,
            content_type: (status == 200).then(|| wish.style.format.content_type()),
            fields: &fields,
            body: b"",
        };
        write::head(out, &answer, self.bytes, how);
        if !how.head_only {
            out.extend_from_slice(&self.notice);
        }
    }

    /// Writes what a HEAD gets where a GET would open a stream.
    fn write_head(&self, wish: &Wish, how: &How<'_>, newest: MessageId, out: &mut Vec<u8>) {
        let head = wish.style.head(&Head {
            date: how.date,
            last: newest,
            resume: self.resume,
            origin: how.origin,
            retry_ms: 0,
            head_only: true,
            closes: !how.keep_alive || wish.style.framing == Framing::Plain,
        });
        out.extend_from_slice(&head);
    }
}
