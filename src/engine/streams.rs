//! Streams: a client's line becomes one, messages wake it, its timer reminds or ends it.
//! It carries between topics and lines and encodes nothing.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::life::Drain;
use super::serve::context;
use super::visits::Errand;
use crate::base::frame::Frame;
use crate::base::histogram::Histogram;
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::micros;
use crate::conn::stream::{Due, Source, Stream, Terms};
use crate::conn::{Conn, Line};
use crate::model::Message;
use crate::port::Action;
use crate::topics::format::{Code, Head, Style};
use crate::topics::wish::Mode;
use crate::topics::{Feed, Joined, Seat, Topics};

/// `retry:` of event streams whose readers did not ask for one, in milliseconds, and what chance
/// adds to it.
const RETRY_MS: (u32, u64) = (3_000, 2_001);

/// A ticket holds no longer, so that no clock runs over.
const TICKET_MAX: Duration = Duration::from_secs(10 * 365 * 86_400);

/// What a stream reads: its channel's frames in its style.
pub(super) fn feed_of<'a>(topics: &'a Topics, stream: &Stream) -> Feed<'a> {
    topics.feed(stream.channel(), Style::from_index(stream.style()))
}

impl<'a> Source<'a> for Feed<'a> {
    fn end(&self) -> u64 {
        Feed::end(self)
    }

    fn frame(&self, at: u64) -> Option<&'a Frame> {
        Feed::frame(self, at)
    }

    fn bytes<'f>(&self, frame: &'f Frame) -> &'f [u8] {
        Feed::bytes(self, frame)
    }
}

/// Its beginning.
impl Engine {
    /// Everything the client asked before is answered: from here on the line is a stream.
    pub(super) fn become_stream(&mut self, key: Key) {
        let Some(errand) = self.visits.next(&mut self.turn.memory, key) else {
            return self.close(key);
        };
        let Some(Conn::Inbound(inbound)) = self.lines.get(key).map(|line| &line.conn) else {
            return;
        };
        let (peer, ignored) = (inbound.peer(), inbound.ignored());
        // A reader that has finished sending is taken to be gone, whenever it did.
        if inbound.is_finished() {
            return self.close(key);
        }
        let Some(joined) = self.topics.join(&errand.wish, key) else {
            return self.close(key);
        };
        let mut stream = self.stream(key, peer, &errand, &joined);
        stream.heard(ignored);
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        let conn = std::mem::replace(&mut line.conn, Conn::Stream(stream));
        // Behind its request the client was not read; its end may have come meanwhile.
        self.turn.actions.push_back(Action::Resume { key });
        if let Conn::Inbound(inbound) = conn {
            inbound.dismantle(&mut context!(self));
        }
        if self.drain != Drain::No {
            return self.end_stream(key, Code::Shutdown);
        }
        if !self.gate.knows(errand.pass.mark) {
            return self.end_stream(key, Code::Token);
        }
        self.settle_stream(key);
    }

    fn stream(&mut self, key: Key, peer: IpAddr, errand: &Errand, joined: &Joined) -> Stream {
        let wish = &errand.wish;
        let now = self.turn.now;
        let chance = self.turn.rng.below(RETRY_MS.1) as u32;
        let head = wish.style.head(&Head {
            date: self.date.at(now.wall),
            last: self.topics.last(),
            resume: joined.resume,
            origin: errand.origin.as_deref(),
            retry_ms: wish.retry_ms.unwrap_or(RETRY_MS.0 + chance),
            head_only: false,
            closes: false,
        });
        let Seat { channel, place, at } = joined.seat;
        let keep_alive = self.topics.settings().keep_alive;
        let terms = Terms {
            style: wish.style.index() as u8,
            mark: errand.pass.mark,
            keep_alive: spread(wish.keep_alive.unwrap_or(keep_alive), key),
            drops: wish.drops,
            warns: wish.stall_warnings,
            until: match wish.mode {
                Mode::Kept => joined.end,
                _ => u64::MAX,
            },
        };
        let mut stream = Stream::new(peer, (channel, place, at), terms, &head, now.mono);
        if let Some(missing) = joined.missing {
            let mut notice = Vec::new();
            wish.style.format.limit(missing, &mut notice);
            stream.say(framed(wish.style, &notice), now.mono);
        }
        if let Some(age) = self.topics.settings().age_max {
            // All that were opened at once must not come again at once.
            let less = self.turn.rng.below(micros(age) / 8 + 1);
            let age = age.saturating_sub(Duration::from_micros(less));
            stream.end_at(now.mono + age, number(Code::Shed));
        }
        if let Some(until) = errand.pass.until {
            let left = until.since(now.wall).min(TICKET_MAX);
            stream.end_at(now.mono + left, number(Code::Token));
        }
        stream
    }
}

/// A little more than that, by the line, so that those who joined at once are not reminded at once.
fn spread(span: Duration, key: Key) -> Duration {
    let share = key.to_bits().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
    span + span / 16 * share as u32 / 256
}

/// A notice as it is sent.
pub(super) fn framed(style: Style, notice: &[u8]) -> Frame {
    Frame::copy_of(&style.frame_notice(notice))
}

/// A code as a line keeps it.
pub(super) fn number(code: Code) -> u8 {
    u8::try_from(code.number()).unwrap_or_default()
}

fn code(kept: u8) -> Code {
    let known = Code::ALL.into_iter().find(|it| number(*it) == kept);
    known.unwrap_or(Code::Normal)
}

/// Its messages.
impl Engine {
    /// A message that is durable goes to the streams of its topics.
    pub(super) fn publish(&mut self, message: &Arc<Message>) {
        self.topics.publish(message, self.turn.now.mono);
        if let Some(at) = self.topics.next_sweep() {
            self.arm_sweep(at);
        }
        let (mut number, mut streams) = (0, 0);
        while let Some(channel) = self.topics.touched(number) {
            number += 1;
            streams += self.topics.size(channel) as u64;
            self.relieve(channel);
            self.warn_slow(channel);
        }
        self.turn.stats.observe(Histogram::FanOut, streams);
        self.relieve_all();
    }

    /// A message of the time before this process is kept for those who come late.
    pub(super) fn republish(&mut self, message: &Arc<Message>) {
        self.topics.restore(message, self.turn.now);
        if let Some(at) = self.topics.next_sweep() {
            self.arm_sweep(at);
        }
    }

    /// The topics' timer has fired.
    pub(super) fn sweep_topics(&mut self) {
        self.topics.purge(&mut self.turn);
        if let Some(at) = self.topics.sweep(self.turn.now.mono) {
            self.arm_sweep(at);
        }
    }

    /// Puts the streams that have something new on the list of those to be written; once a turn,
    /// however many messages came.
    pub(super) fn wake_streams(&mut self) {
        let now = self.turn.now.mono;
        while let Some(channel) = self.topics.next_woken() {
            for key in self.topics.lines(channel) {
                // One that waits already is on the list, or its socket is full.
                let Some(line) = self.lines.get_mut(key) else {
                    continue;
                };
                let wakes = match &mut line.conn {
                    Conn::Stream(stream) => stream.wake(now),
                    // A poll's answer is made when it can be written.
                    _ => true,
                };
                if wakes {
                    line.touch_stream(&mut self.turn, key);
                }
            }
        }
    }

    /// A stream's socket took bytes. Whether it has more to write; none if there is no such stream.
    pub(super) fn stream_written(&mut self, key: Key, bytes: usize) -> Option<bool> {
        let Some(Line {
            conn: Conn::Stream(stream),
            ..
        }) = self.lines.get_mut(key)
        else {
            return None;
        };
        let now = self.turn.now.mono;
        let style = Style::from_index(stream.style());
        if let Some(mut reading) = self.topics.reading(stream.channel()) {
            let (from, to) = stream.wrote(bytes, &reading.feed(style), now);
            reading.passed(from, to);
        } else {
            // It has been ended, and its channel went with it.
            stream.wrote(bytes, &self.topics.feed(stream.channel(), style), now);
        }
        let waits = stream.waits();
        if stream.is_gone() {
            self.close(key);
            self.run_lanes();
            return Some(false);
        }
        // The farewell's time is not for what was begun before it.
        if stream.is_served() && !waits {
            self.end_stream(key, Code::Count);
            return Some(self.has_output(key));
        }
        Some(waits)
    }

    /// Bytes from a reader, who has nothing to say.
    pub(super) fn stream_heard(&mut self, key: Key, bytes: usize) {
        if let Some(Conn::Stream(stream)) = self.lines.get_mut(key).map(|line| &mut line.conn) {
            stream.heard(bytes);
            self.settle_stream(key);
        }
    }

    /// A stream's node has fired.
    pub(super) fn stream_expired(&mut self, key: Key) {
        let (now, stall) = (self.turn.now.mono, self.settings.limits.stall_timeout);
        let Some(Conn::Stream(stream)) = self.lines.get_mut(key).map(|line| &mut line.conn) else {
            return;
        };
        match stream.expired(stall, now) {
            Due::Nothing => {}
            Due::Gone => {
                self.turn.stats.add(Counter::TimeoutsStall, 1);
                self.note_stall(key, "takes_nothing");
            }
            Due::End(kept) => return self.end_stream(key, code(kept)),
            Due::Silence => {
                let style = Style::from_index(stream.style());
                stream.say(self.topics.keep_alive(style).clone(), now);
            }
        }
        self.warn_if_slow(key);
        self.settle_stream(key);
    }

    /// After any fact but a write: the line is closed, or has its deadline and stands on the list.
    pub(super) fn settle_stream(&mut self, key: Key) {
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        let Conn::Stream(stream) = &line.conn else {
            return;
        };
        if stream.is_gone() {
            return self.close(key);
        }
        let stall = self.settings.limits.stall_timeout;
        let at = stream.looked_at(stall, self.turn.now.mono);
        line.deadline.set(&mut self.turn, key, at);
        if stream.is_served() && !stream.has_output(&feed_of(&self.topics, stream)) {
            return self.end_stream(key, Code::Count);
        }
        if stream.has_output(&feed_of(&self.topics, stream)) {
            line.touch_stream(&mut self.turn, key);
        }
    }
}
