//! Streams that fall behind, and streams that end: who is told, who loses messages, who has to go.
//! It decides for streams one by one and knows nothing of sockets.

use super::Engine;
use super::streams::{feed_of, framed, number};
use crate::base::frame::Frame;
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::{Mono, micros};
use crate::conn::Conn;
use crate::conn::stream::Stream;
use crate::topics::format::{Code, Style};
use crate::topics::{Seat, WARNING_PERCENT};

/// Event streams that are ended for want of room come again after this time, in milliseconds, and
/// what chance adds to it.
const COME_BACK_MS: (u32, u64) = (1_000, 9_001);
/// Characters of a stream's topics that the log shows.
const LOGGED_CHARS_MAX: usize = 100;
/// The part of the drain's time in which streams are ended, one after the other: the rest is for
/// their last bytes.
const DRAIN_PART: u32 = 3;

/// Those that are too slow.
impl Engine {
    fn stream_mut(&mut self, key: Key) -> Option<&mut Stream> {
        match self.lines.get_mut(key).map(|line| &mut line.conn) {
            Some(Conn::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    /// Lets the streams give way for which a channel holds more than its bound.
    pub(super) fn relieve(&mut self, touched: Key) {
        while self.topics.over(touched) && self.give_way(touched) {}
    }

    /// Lets streams give way until all channels together are within their bound.
    pub(super) fn relieve_all(&mut self) {
        while let Some(channel) = self.topics.all_over()
            && self.give_way(channel)
        {}
    }

    /// Lets the slowest readers of a channel give way; false if there are none.
    fn give_way(&mut self, channel: Key) -> bool {
        let slowest = self.topics.slowest(channel);
        let mut gave_way = false;
        for place in (0..self.topics.size(channel)).rev() {
            let Some(key) = self.topics.line(channel, place) else {
                continue;
            };
            if self.poll_gives_way(key, slowest) {
                gave_way = true;
                continue;
            }
            let Some(stream) = self.stream_mut(key).filter(|it| it.at() <= slowest) else {
                continue;
            };
            if stream.drops() {
                self.drop_oldest(key);
            } else {
                self.turn.stats.add(Counter::StreamsSlow, 1);
                self.note_stall(key, "behind");
                self.end_stream(key, Code::Stall);
            }
            gave_way = true;
        }
        gave_way
    }

    /// Leaves a line in the log about a reader that was too slow.
    pub(super) fn note_stall(&self, key: Key, why: &str) {
        let Some(Conn::Stream(stream)) = self.lines.get(key).map(|line| &line.conn) else {
            return;
        };
        let (peer, names) = (stream.peer(), self.topics.names(stream.channel()));
        let shown: String = names.chars().take(LOGGED_CHARS_MAX).collect();
        log::info!("stream_stalled peer={peer} topics={shown:?} why={why}");
    }

    /// A stream that would rather lose messages than end moves on, and is told how many it lost.
    fn drop_oldest(&mut self, key: Key) {
        let now = self.turn.now.mono;
        let Some(Conn::Stream(stream)) = self.lines.get_mut(key).map(|line| &mut line.conn) else {
            return;
        };
        let to = self.topics.relief(stream.channel());
        let (from, before) = (stream.at(), stream.lost());
        let lost = stream.skip(to);
        let missed = u64::from(lost - before);
        self.turn.stats.add(Counter::StreamsMissed, missed);
        if let Some(mut reading) = self.topics.reading(stream.channel()) {
            reading.passed(from, stream.at());
        }
        // What it is being sent in part it does not lose.
        if missed > 0 {
            let (style, mut notice) = (Style::from_index(stream.style()), Vec::new());
            style.format.limit(lost.into(), &mut notice);
            stream.say_lost(framed(style, &notice), now);
        }
        self.settle_stream(key);
    }

    /// Warns the readers of a channel that fills up, those of them that want it.
    pub(super) fn warn_slow(&mut self, channel: Key) {
        if !self.topics.may_warn(channel) {
            return;
        }
        for place in 0..self.topics.size(channel) {
            if let Some(key) = self.topics.line(channel, place) {
                self.warn_if_slow(key);
            }
        }
    }

    /// Warns a reader, if it wants that and has fallen behind.
    pub(super) fn warn_if_slow(&mut self, key: Key) {
        let now = self.turn.now.mono;
        let Some(Conn::Stream(stream)) = self.lines.get_mut(key).map(|line| &mut line.conn) else {
            return;
        };
        if !stream.warns() || stream.is_ending() {
            return;
        }
        let percent = self.topics.fullness(stream.channel(), stream.at());
        if percent >= WARNING_PERCENT && stream.warn(now) {
            let (style, mut notice) = (Style::from_index(stream.style()), Vec::new());
            style.format.warning(percent.min(100), &mut notice);
            stream.say(framed(style, &notice), now);
            // Whoever has something to say is not woken for messages any more.
            self.settle_stream(key);
        }
    }
}

/// Those that end.
impl Engine {
    /// The stream gets no more messages: what it began is finished, then it is told why, then comes
    /// the terminator.
    pub(super) fn end_stream(&mut self, key: Key, code: Code) {
        let Some(stream) = self.stream_mut(key).filter(|stream| !stream.is_ending()) else {
            return;
        };
        let (style, channel) = (Style::from_index(stream.style()), stream.channel());
        let mut notice = Vec::new();
        if matches!(code, Code::Shutdown | Code::Shed) {
            let chance = self.turn.rng.below(COME_BACK_MS.1) as u32;
            style.format.retry(COME_BACK_MS.0 + chance, &mut notice);
        }
        let names = self.topics.names(channel);
        style.format.disconnect(code, &names, &mut notice);
        let mut farewell = style.frame_notice(&notice);
        farewell.extend_from_slice(style.terminator());
        self.leave_channel(key);
        let now = self.turn.now.mono;
        if let Some(stream) = self.stream_mut(key) {
            stream.end(Frame::copy_of(&farewell), now);
        }
        self.settle_stream(key);
    }

    /// Gives up a stream's seat, if it has not been given up before.
    pub(super) fn leave_channel(&mut self, key: Key) {
        let Some(stream) = self.stream_mut(key).filter(|stream| !stream.is_ending()) else {
            return;
        };
        let seat = Seat {
            channel: stream.channel(),
            place: stream.place(),
            at: stream.at(),
        };
        self.leave_seat(seat);
    }

    /// A seat becomes free; whoever sat behind all others may move up to it.
    pub(super) fn leave_seat(&mut self, seat: Seat) {
        let Some(moved) = self.topics.leave(seat) else {
            return;
        };
        match self.stream_mut(moved) {
            Some(stream) => stream.move_to(seat.place),
            None => self.visits.move_to(moved, seat.place),
        }
    }

    /// In a drain streams are ended one after the other, so that their readers do not come to
    /// another server all at once.
    pub(super) fn drain_stream(&mut self, key: Key) {
        let window = micros(self.settings.drain_timeout / DRAIN_PART);
        let at = Mono(self.turn.now.mono.0 + self.turn.rng.below(window));
        if let Some(stream) = self.stream_mut(key) {
            stream.end_at(at, number(Code::Shutdown));
            if at <= self.turn.now.mono {
                return self.end_stream(key, Code::Shutdown);
            }
        }
        self.settle_stream(key);
    }

    /// Sweeps what holds between a stream and its channel.
    pub(super) fn check_stream(&self, key: Key, stream: &Stream) {
        assert!(!stream.is_gone(), "line {key:?} should have been closed");
        if stream.is_ending() {
            return;
        }
        let seated = self.topics.line(stream.channel(), stream.place());
        assert_eq!(seated, Some(key), "a stream's seat is another's");
        let output = stream.has_output(&feed_of(&self.topics, stream));
        assert!(
            stream.waits() || !output || self.topics.has_woken(),
            "{key:?} sleeps"
        );
    }
}
