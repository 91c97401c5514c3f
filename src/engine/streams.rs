//! Streams: a client's line becomes one, messages wake them, slow ones are ended.
//! It carries between topics and lines and encodes nothing.

use super::Engine;
use super::life::Drain;
use super::serve::context;
use crate::base::frame::{Frame, Gather};
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::conn::Conn;
use crate::conn::reply::Subscription;
use crate::conn::stream::{Source, Stream};
use crate::model::Message;
use crate::topics::format::Format;
use crate::topics::{Encoded, Seat, Topics};

/// One topic's ring in one format.
pub(super) struct View<'a> {
    topics: &'a Topics,
    topic: Key,
    format: Format,
}

impl<'a> View<'a> {
    pub(super) fn of(topics: &'a Topics, stream: &Stream) -> View<'a> {
        let format = Format::from_index(stream.format());
        View {
            topics,
            topic: stream.topic(),
            format,
        }
    }

    /// What a stream has to write, straight from the ring.
    pub(super) fn gather(self, stream: &'a Stream, gather: &mut Gather<'a>) {
        let (topics, topic, format) = (self.topics, self.topic, self.format);
        stream.outgoing(gather, |at| topics.frame(topic, at, format));
    }
}

impl Source for View<'_> {
    fn frame(&self, at: u64) -> Option<&Frame> {
        self.topics.frame(self.topic, at, self.format)
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
        let format = Format::from_index(wish.format);
        let Some(seat) = self.topics.join(&wish.topic, key, format) else {
            return self.close(key);
        };
        let head = format.head(self.date.at(now.wall), self.topics.last());
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
        let terminator = Format::from_index(stream.format()).terminator();
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

    /// A stream's socket took bytes.
    pub(super) fn stream_written(&mut self, key: Key, bytes: usize) {
        let Some(Conn::Stream(stream)) = self.lines.get_mut(key).map(|line| &mut line.conn) else {
            return;
        };
        let topic = stream.topic();
        let view = View::of(&self.topics, stream);
        let (from, to) = stream.wrote(bytes, &view, self.turn.now.mono);
        self.topics.passed(topic, from, to);
        self.rearm_stream(key);
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
        let reminder = self.topics.keep_alive(Format::from_index(stream.format()));
        stream.expired(reminder, self.turn.now.mono);
        if stream.is_gone() {
            self.turn.stats.add(Counter::TimeoutsStall, 1);
        }
        self.settle_stream(key);
    }

    /// After any fact: the line is closed, or has its deadline and stands on the list.
    pub(super) fn settle_stream(&mut self, key: Key) {
        self.rearm_stream(key);
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        let Conn::Stream(stream) = &line.conn else {
            return;
        };
        if stream.has_output(&View::of(&self.topics, stream)) {
            line.touch_stream(&mut self.turn, key);
        }
    }

    /// After a write: the line is closed or has its deadline. It is not put on the list, where it
    /// has just been.
    fn rearm_stream(&mut self, key: Key) {
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
    }
}
