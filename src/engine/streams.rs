//! Streams: a client's line becomes one, messages wake them, slow ones are ended.
//! It carries between topics and lines and encodes nothing.

use super::Engine;
use super::life::Drain;
use super::serve::context;
use crate::base::frame::Frame;
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::conn::Conn;
use crate::conn::reply::Subscription;
use crate::conn::stream::{Source, Stream};
use crate::model::Message;
use crate::port::Action;
use crate::topics::format::{Head, Style};
use crate::topics::{Encoded, Feed, Seat, Topics};

/// What a stream reads: its topic's frames in its format.
pub(super) fn feed_of<'a>(topics: &'a Topics, stream: &Stream) -> Feed<'a> {
    topics.feed(stream.topic(), Style::from_index(stream.format()))
}

impl Source for Feed<'_> {
    fn frame(&self, at: u64) -> Option<&Frame> {
        Feed::frame(self, at)
    }
}

impl Engine {
    /// Everything the client asked before is answered: from here on the line is a stream.
    pub(super) fn become_stream(&mut self, key: Key, wish: &Subscription) {
        let now = self.turn.now;
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        let Conn::Inbound(inbound) = &line.conn else {
            return;
        };
        // A reader that has finished sending is taken to be gone, whenever it did.
        if inbound.is_finished() {
            return self.close(key);
        }
        let format = Style::from_index(wish.format);
        let Some(seat) = self.topics.join(&wish.topic, key, format) else {
            return self.close(key);
        };
        let head = format.head(&Head {
            date: self.date.at(now.wall),
            last: self.topics.last(),
            resume: None,
            origin: None,
            retry_ms: 0,
            head_only: false,
        });
        let Seat { topic, place, at } = seat;
        let stream = Stream::new(
            inbound.peer(),
            wish.format,
            topic,
            place,
            at,
            head,
            now.mono,
        );
        let conn = std::mem::replace(&mut line.conn, Conn::Stream(stream));
        // Behind its request the client was not read; its end may have come meanwhile.
        self.turn.actions.push_back(Action::Resume { key });
        if let Conn::Inbound(inbound) = conn {
            inbound.dismantle(&mut context!(self));
        }
        if self.drain != Drain::No {
            return self.end_stream(key);
        }
        self.settle_stream(key);
    }

    /// A message that is durable goes to the streams of its topics.
    pub(super) fn publish(&mut self, message: &Message) {
        let mut encoded = Encoded::default();
        for name in message.topics.iter() {
            for (key, _) in self.topics.publish(name, message, &mut encoded) {
                let Some(line) = self.lines.get_mut(*key) else {
                    continue;
                };
                if let Conn::Stream(stream) = &mut line.conn
                    && stream.wake(self.turn.now.mono)
                {
                    let at = stream.deadline(self.settings.limits.stall_timeout);
                    line.deadline.set(&mut self.turn, *key, at);
                }
                line.touch_stream(&mut self.turn, *key);
            }
            self.relieve(name);
        }
    }

    /// Ends the streams for which a topic, or all together, hold more than their bound.
    fn relieve(&mut self, name: &[u8]) {
        while let Some(topic) = self.topics.over(name) {
            let first = self.topics.first(topic);
            let mut ended = false;
            for place in (0..self.topics.members(topic).len()).rev() {
                let Some((key, _)) = self.topics.members(topic).get(place).copied() else {
                    break;
                };
                if let Some(Conn::Stream(stream)) = self.lines.get(key).map(|line| &line.conn)
                    && stream.at() <= first
                {
                    self.turn.stats.add(Counter::StreamsSlow, 1);
                    self.end_stream(key);
                    ended = true;
                }
            }
            if !ended {
                return;
            }
        }
    }

    /// The stream gets no more frames: what it began is finished, then the terminator.
    pub(super) fn end_stream(&mut self, key: Key) {
        self.leave_topic(key);
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        let Conn::Stream(stream) = &mut line.conn else {
            return;
        };
        let terminator = Style::from_index(stream.format()).terminator();
        stream.end(terminator, self.turn.now.mono);
        self.settle_stream(key);
    }

    /// Gives up a stream's seat, if it has not been given up before.
    pub(super) fn leave_topic(&mut self, key: Key) {
        let Some(Conn::Stream(stream)) = self.lines.get(key).map(|line| &line.conn) else {
            return;
        };
        if stream.is_ending() {
            return;
        }
        let (topic, place) = (stream.topic(), stream.place());
        let moved = self.topics.leave(Seat {
            topic,
            place,
            at: stream.at(),
        });
        if let Some(Conn::Stream(moved)) = moved
            .and_then(|moved| self.lines.get_mut(moved))
            .map(|line| &mut line.conn)
        {
            moved.move_to(place);
        }
    }

    /// A stream's socket took bytes. Whether it has more to write.
    pub(super) fn stream_written(&mut self, key: Key, bytes: usize) -> bool {
        let Some(line) = self.lines.get_mut(key) else {
            return false;
        };
        let Conn::Stream(stream) = &mut line.conn else {
            return false;
        };
        let topic = stream.topic();
        let feed = feed_of(&self.topics, stream);
        let (from, to) = stream.wrote(bytes, &feed, self.turn.now.mono);
        if from < to {
            self.topics.passed(topic, from, to);
        }
        if stream.is_gone() {
            self.close(key);
            self.run_lanes();
            return false;
        }
        let at = stream.deadline(self.settings.limits.stall_timeout);
        line.deadline.set(&mut self.turn, key, at);
        stream.waits()
    }

    /// Bytes from a reader, who has nothing to say.
    pub(super) fn stream_heard(&mut self, key: Key, bytes: usize) {
        if let Some(Conn::Stream(stream)) = self.lines.get_mut(key).map(|line| &mut line.conn) {
            stream.heard(bytes);
            self.settle_stream(key);
        }
    }

    /// A stream's deadline has passed.
    pub(super) fn stream_expired(&mut self, key: Key) {
        let Some(Conn::Stream(stream)) = self.lines.get_mut(key).map(|line| &mut line.conn) else {
            return;
        };
        let reminder = self.topics.keep_alive(Style::from_index(stream.format()));
        stream.expired(reminder, self.turn.now.mono);
        if stream.is_gone() {
            self.turn.stats.add(Counter::TimeoutsStall, 1);
        }
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
        let at = stream.deadline(self.settings.limits.stall_timeout);
        line.deadline.set(&mut self.turn, key, at);
        if stream.has_output(&feed_of(&self.topics, stream)) {
            line.touch_stream(&mut self.turn, key);
        }
    }
}
